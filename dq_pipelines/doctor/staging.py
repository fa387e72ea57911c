"""Finds data files below tables that no version names: staged by a killed run, or added by a lost commit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dq_pipelines.config.counting import counted
from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.errors import DqError
from dq_pipelines.lake.inspection import unnamed_files
from dq_pipelines.lake.table_lock import claimed, is_claimed
from dq_pipelines.lake.tables import LakeTable


def examine(installation: Installation) -> Iterator[Finding]:
    if installation.folder is None:  # in a store another run may be about to commit them
        return
    for table in installation.lake_tables():
        if is_claimed(installation.stores.lake, table.key.partition("/")[2]):
            continue
        try:
            found = unnamed_files(table)
        except DqError:  # its log cannot be read: `logs` reports it
            continue
        if found:
            said = f"{len(found):,} data files are named by no version ({found[0]}, say): a run was killed, or a commit was lost"
            remedy = "nobody reads them; dq doctor --repair moves them away"
            yield Finding("warning", table.uri, said, remedy, partial(_moved, installation, table))


def _moved(installation: Installation, table: LakeTable) -> str:
    root, target = Path(table.uri), Path()
    with claimed(installation.stores.lake, table.key.partition("/")[2]):
        found = unnamed_files(table)
        for path in found:
            target = installation.move_away(root / path)
    return f"moved {counted(len(found), 'file')} away, to {target.parent}" if found else "they are gone already"
