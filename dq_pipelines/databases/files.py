"""Databases that are a file: its path in a URL, when it has changed, and a copy of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from dq_pipelines.databases.connections import place_of
from dq_pipelines.errors import SourceError

#: A clock for files may tick every 10 ms only.
_TICK_NS = 50_000_000


def path_of(url: str) -> Path:
    """The absolute path of a URL such as `sqlite:///shop.db`, or `sqlite:////data/shop.db`. Raises SourceError for another form."""
    parts = urlsplit(url)
    path = url.partition(":///")[2].partition("?")[0]
    if parts.netloc or not path or "\x00" in path:
        kind = parts.scheme.partition("+")[0]
        raise SourceError(f"{place_of(url)}: wanted {kind}:///path of a file, got none")
    return Path(path).absolute()


def existing(path: Path, place: str) -> Path:
    """The path of a file that there is. Raises SourceError."""
    if not path.is_file():
        raise SourceError(f"{place}: wanted a file of a database, found {'a folder' if path.is_dir() else 'none'}")
    return path


def change_number(files: Sequence[Path]) -> int:
    """The time of the last change of any of these files, in nanoseconds: asked before what lies in them is read.

    While they change at this moment, it is one less, so that a change at the same time by the clock has another number.
    """
    newest = _newest(files)
    if time.time_ns() - newest < _TICK_NS:
        time.sleep(_TICK_NS / 1e9)
        newest = _newest(files)
    return newest if time.time_ns() - newest >= _TICK_NS else newest - 1


def _newest(files: Sequence[Path]) -> int:
    return max((file.stat().st_mtime_ns for file in files if file.exists()), default=0)
