"""Measures where an installation keeps its data: each place with its size and the free space of its disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from dq_pipelines.config.sqlite_files import sqlite_file
from dq_pipelines.config.stores import is_remote
from dq_pipelines.doctor.installation import Installation

#: Files of one place that are counted at most: the size of a larger place is a lower bound.
_MOST_FILES = 100_000


@dataclass(frozen=True)
class StoragePlace:
    """One place: a folder, a database, or an object store."""

    name: str
    #: a path, or an address without its password
    where: str
    #: the size of its files in bytes; None for a place that is not on a disk of this machine
    bytes: int | None = None
    #: whether it has more files than are counted
    is_partial: bool = False
    #: free and total bytes of its disk
    free: int | None = None
    total: int | None = None


def storage_of(installation: Installation) -> list[StoragePlace]:
    """The lake, the backups of retention, the history, the state and Dagster's records."""
    return list(_places(installation))


def _places(installation: Installation) -> Iterator[StoragePlace]:
    stores = installation.stores
    for name, root in (("lake", stores.lake.root), ("backups of retention", stores.backups.root)):
        yield _place(name, None if is_remote(root) else Path(root.removeprefix("file://")), root)
    history = sqlite_file(stores.history.url)
    if history is not None:
        yield _place("history", history, str(history))
    else:
        yield _place("history", None, sa.make_url(stores.history.url).render_as_string())
    if installation.state is not None:
        yield _place("users and audit log", installation.state, str(installation.state))
    if installation.dagster_home is not None:
        yield _place("Dagster's records", installation.dagster_home, str(installation.dagster_home))


def _place(name: str, path: Path | None, where: str) -> StoragePlace:
    if path is None:
        return StoragePlace(name, where)
    there = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    disk = shutil.disk_usage(there)
    size, is_partial = _size(path)
    return StoragePlace(name, str(path.absolute()), size, is_partial, disk.free, disk.total)


def _size(path: Path) -> tuple[int, bool]:
    """The bytes of a file with its journals, or of a folder's files; and whether there are more files than are counted."""
    if not path.is_dir():
        return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*") if file.is_file()), False
    size = count = 0
    for folder, _, names in os.walk(path):
        for name in names:
            count += 1
            if count > _MOST_FILES:
                return size, True
            try:
                size += Path(folder, name).stat().st_size
            except FileNotFoundError:  # a run removed it in between
                continue
    return size, False
