"""Syncs data files to the disk before the commit that names them, so that they survive a power loss.

Polars does not sync; without it a table may name files of 0 bytes. In an object store every existing object is complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from dq_pipelines.config.disk_sync import sync
from dq_pipelines.config.stores import is_remote


def sync_files(folder: str, paths: Iterable[str]) -> None:
    """Sync files beneath a folder and their parent folders to the disk; raises OSError."""
    if is_remote(folder):
        return
    root, folders = Path(folder), dict[Path, None]()
    for path in paths:
        _sync_if_there(root / path)
        folders |= dict.fromkeys(parent for parent in (root / path).parents if parent.is_relative_to(root))
    for each in (*folders, root.parent):
        _sync_if_there(each)


def _sync_if_there(path: Path) -> None:
    with suppress(FileNotFoundError):  # replaced since, so it no longer counts
        sync(path)
