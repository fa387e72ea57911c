"""Upkeep of one table: small files put together, a checkpoint, and old files removed, in every layer and in the backup.

How that is done belongs in `lake.compaction`, when it runs in `orchestration`.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

from dq_pipelines.lake.compaction import Compaction, checkpoint, vacuum
from dq_pipelines.lake.table_lock import claimed
from dq_pipelines.lake.tables import Lake, LakeTable
from dq_pipelines.pipeline.runtime.table_run import TableRun, alone


@dataclass(frozen=True)
class Tended:
    """What was done, or is to be done, for one table."""

    #: `lake` or `backup`
    place: str
    #: `<layer>/<table>`
    key: str
    #: how many small files became how many
    compacted: int
    into: int
    #: files of versions that nobody needs any more
    vacuumed: int

    @property
    def changed(self) -> bool:
        return bool(self.compacted or self.vacuumed)


def tables_of(work: TableRun, backups: Lake) -> list[tuple[str, LakeTable]]:
    """The tables that a table's YAML has become so far, each with its place."""
    places = (("lake", work.lake), ("backup", backups))
    found = [(place, lake.table(key)) for place, lake in places for key in work.table.keys]
    return [(place, table) for place, table in found if table.exists]


def tending(work: TableRun, backups: Lake, keep: timedelta) -> list[Tended]:
    """What `tend` would do now; nothing is written."""
    found = []
    for place, table in tables_of(work, backups):
        compaction = Compaction.of(table)
        if compaction is not None:
            gone = vacuum(table, keep, dry_run=True)
            found.append(Tended(place, table.key, compaction.files, len(compaction.bins), len(gone)))
    return found


def tend(work: TableRun, backups: Lake, keep: timedelta) -> list[Tended]:
    """Put small files together, write checkpoints, and remove files that left a table longer ago than `keep`.

    No row changes. Versions from before then can be read no more.
    """

    def tended(held: TableRun) -> list[Tended]:
        found = []
        with ExitStack() as stack:
            tables = tables_of(held, backups)
            claims = {"lake": held.claim}
            if any(place == "backup" for place, _ in tables):
                claims["backup"] = stack.enter_context(claimed(backups, held.table.name, lambda _: held.may_commit()))
            for place, table in tables:
                compaction = Compaction.of(table)
                if compaction is None:
                    continue
                if compaction.bins:
                    compaction.run(claims[place], held.may_commit)
                checkpoint(table)
                held.may_commit()
                gone = vacuum(table, keep)
                found.append(Tended(place, table.key, compaction.files, len(compaction.bins), len(gone)))
                if found[-1].changed:
                    held.log(
                        f"{place} {table.key}: {compaction.files:,} small files became {len(compaction.bins):,}, "
                        f"{len(gone):,} old files removed"
                    )
        return found

    return alone(tended)(work)
