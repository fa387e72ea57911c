"""What a commit names survives a power loss: data files reach the disk before the commit, and its log entry after it.

Neither Polars nor delta-rs asks for that; without it the log may name files of 0 bytes, or be one. In an object store
every object that is there is whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from dq_pipelines.config.stores import is_remote
from dq_pipelines.lake.tables import LakeTable


def sync_files(table: LakeTable, paths: Iterable[str]) -> None:
    """Write files beneath a table to the disk, and the folders that lead to them; raises OSError."""
    if is_remote(table.uri):
        return
    root, folders = Path(table.uri), dict[Path, None]()
    for path in paths:
        _sync(root / path)
        folders |= dict.fromkeys(parent for parent in (root / path).parents if parent.is_relative_to(root))
    for folder in (*folders, root.parent):
        _sync(folder)


def sync_commit(table: LakeTable) -> None:
    """Write the newest commit of a table to the disk, and the data files that it has brought; raises OSError."""
    if is_remote(table.uri):
        return
    log = table.log()
    if log is None or not log.commits:
        return
    newest = Path(log.commits[-1][1].path)
    lines = newest.read_bytes().splitlines()
    adds = [unquote(json.loads(line)["add"]["path"]) for line in lines if line.startswith(b'{"add"')]
    sync_files(table, [f"_delta_log/{newest.name}", *(path for path in adds if "://" not in path)])


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # somebody has replaced it since, and it counts no more
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
