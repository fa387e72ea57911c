"""Checks whether the format's records of each table (Delta: the log) can be read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dq_pipelines.config.stores import is_remote
from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.lake.formats.base import Damage
from dq_pipelines.lake.tables import LakeTable


def examine(installation: Installation) -> Iterator[Finding]:
    known = {table.key for table in installation.lake_tables()}
    for table in installation.lake_tables():
        yield from _of(installation, table)
    yield from _unknown(installation, known)


def _of(installation: Installation, table: LakeTable) -> Iterator[Finding]:
    for damage in table.format.examine(table):
        again = partial(_moved, installation, damage) if damage.movable and installation.folder else None
        yield Finding("error", damage.path, damage.sentence, damage.remedy, again)


def _moved(installation: Installation, damage: Damage) -> str:
    target = installation.move_away(Path(damage.path))
    for companion in map(Path, damage.companions):
        if companion.exists():
            installation.move_away(companion)
    return f"moved {damage.movable} to {target}: {damage.afterwards}"


def _unknown(installation: Installation, known: set[str]) -> Iterator[Finding]:
    """Tables in the lake that no YAML file describes."""
    lake = installation.stores.lake
    if is_remote(lake.root) or installation.project is None:
        return
    for key in lake.keys():  # noqa: SIM118
        if key not in known and key.partition("/")[2] not in installation.left_out:
            said = f"{key} is described by no YAML file: a renamed or removed table, whose rows no run maintains"
            remedy = "give it its YAML back, or move the folder away"
            yield Finding("info", lake.table(key).uri, said, remedy)
