"""Syncs data files to the disk before the commit that names them, so that they survive a power loss.

Polars does not sync; without it a table may name files of 0 bytes. In an object store every existing object is complete.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dq_pipelines.config.stores import is_remote


def sync_files(folder: str, paths: Iterable[str]) -> None:
    """Sync files beneath a folder and their parent folders to the disk; raises OSError."""
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
    except FileNotFoundError:  # replaced since, so it no longer counts
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
