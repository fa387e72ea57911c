"""Checks whether the data files that tables name exist in the lake, and are intact."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.errors import DqError
from dq_pipelines.lake.inspection import DamagedFile, damaged_files, forget_files
from dq_pipelines.lake.table_lock import claimed


def examine(installation: Installation) -> Iterator[Finding]:
    for table in installation.lake_tables():
        try:
            harmed = damaged_files(table)
        except DqError:  # its log cannot be read: `logs` reports it
            continue
        for each in harmed:
            place, _, said = str(each).partition(": ")
            # Only quarantine is repaired: a rerun rebuilds it from bronze, but must be able to read it first. Silver and
            # gold are rebuilt without a repair, and bronze's rows may still be at the source.
            mends = table.key.startswith("quarantine/") and not _is_of_gold(installation, table.key)
            yield Finding("error", place, said, each.remedy, partial(_forgotten, installation, each) if mends else None)


def _is_of_gold(installation: Installation, key: str) -> bool:
    name = key.partition("/")[2]
    return any(table.name == name and table.is_gold for table in installation.tables)


def _forgotten(installation: Installation, harmed: DamagedFile) -> str:
    name = harmed.table.key.partition("/")[2]
    with claimed(installation.stores.lake, name):
        path = Path(harmed.file.uri)
        moved = f", moved what is left of it to {installation.move_away(path)}" if path.exists() else ""
        forget_files(harmed.table, [harmed.file])
    return f"took it out of the log{moved}: run {name} with mode: rerun, which makes quarantine anew from bronze"
