"""The names of inputs on pages: a file without the folders of the server."""

from __future__ import annotations

from pathlib import Path


def input_name(source: str, landing: str) -> str:
    """An input as pages show it: its path below the landing folder, or its name alone where it lies elsewhere.

    The address of an object store, or of another system, is shown whole, or from the landing address on.
    """
    if "://" in source:
        return source.removeprefix(f"{landing.rstrip('/')}/")
    path = Path(source)
    for root in (Path(landing), Path(landing).absolute(), Path(landing).resolve()):
        if path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name if path.is_absolute() else source
