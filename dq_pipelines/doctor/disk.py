"""Checks the free space of the disks with the lake, the history, Dagster's records, the state and the scratch folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dq_pipelines.config.sqlite_files import sqlite_file
from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation

#: Free share and free bytes. A warning if both are below the first pair, an error if both are below the second.
_SHORT, _SCARCE = (0.05, 10 * 2**30), (0.01, 2**30)


def examine(installation: Installation) -> Iterator[Finding]:
    disks: dict[int, str] = {}
    for what, path in _places(installation):
        there = next(parent for parent in (path, *path.parents) if parent.exists())
        disks.setdefault(there.stat().st_dev, f"{what} at {there}")
        if disks[there.stat().st_dev] != f"{what} at {there}":
            continue
        usage = shutil.disk_usage(there)
        yield from _room(str(there), what, usage.free, usage.total)
        files = os.statvfs(there)
        if files.f_files and files.f_favail < 0.01 * files.f_files:
            said = f"the disk of the {what} has room for {files.f_favail:,} more files only"
            yield Finding(
                "warning", str(there), said, "remove files that nobody needs; dq upkeep puts small ones together"
            )


def _room(place: str, what: str, free: int, total: int) -> Iterator[Finding]:
    said = f"the disk of the {what} has {free / 2**30:.1f} GB left of {total / 2**30:.1f} GB"
    remedy = "make room: dq upkeep and dq purge remove what nobody needs, retention deletes what is old"
    if free < _SCARCE[0] * total and free < _SCARCE[1]:
        yield Finding("error", place, f"{said}: runs are about to fail", remedy)
    elif free < _SHORT[0] * total and free < _SHORT[1]:
        yield Finding("warning", place, said, remedy)


def _places(installation: Installation) -> Iterator[tuple[str, Path]]:
    if installation.folder is not None:
        yield "lake", installation.folder.absolute()
    if (history := sqlite_file(installation.stores.history.url)) is not None:
        yield "history", history.absolute().parent
    if installation.dagster_home is not None:
        yield "Dagster's records", installation.dagster_home.absolute()
    if installation.state is not None:
        yield "state", installation.state.absolute()
    yield "scratch folder", Path(tempfile.gettempdir())
