"""What a commit names survives a power loss: files reach the disk before the commit that names them.

Polars does not ask for that; without it a table may name files of 0 bytes. In an object store every object that is there is whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dq_pipelines.config.stores import is_remote


def sync_files(folder: str, paths: Iterable[str]) -> None:
    """Write files beneath a folder to the disk, and the folders that lead to them; raises OSError."""
    if is_remote(folder):
        return
    root, folders = Path(folder), dict[Path, None]()
    for path in paths:
        _sync(root / path)
        folders |= dict.fromkeys(parent for parent in (root / path).parents if parent.is_relative_to(root))
    for each in (*folders, root.parent):
        _sync(each)


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # somebody has replaced it since, and it counts no more
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
