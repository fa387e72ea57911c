"""Runs upkeep of one table: compacts small files, writes checkpoints and removes old files, in every layer and in the backup."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

from dq_pipelines.lake.compaction import Compaction, checkpoint, vacuum
from dq_pipelines.lake.table_lock import claimed
from dq_pipelines.lake.tables import Lake, LakeTable
from dq_pipelines.pipeline.runtime.table_run import TableRun, with_table_lock


@dataclass(frozen=True)
class UpkeepResult:
    """What upkeep did, or would do, for one table."""

    #: `lake` or `backup`
    place: str
    #: `<layer>/<table>`
    key: str
    #: number of small files that were compacted, and number of files they became
    compacted: int
    into: int
    #: removed files of versions that are past their retention
    vacuumed: int

    @property
    def changed(self) -> bool:
        return bool(self.compacted or self.vacuumed)


def tables_of(work: TableRun, backups: Lake) -> list[tuple[str, LakeTable]]:
    """The existing tables of one YAML file, each with `lake` or `backup`."""
    places = (("lake", work.lake), ("backup", backups))
    tables = [(place, lake.table(key)) for place, lake in places for key in work.table.keys]
    return [(place, table) for place, table in tables if table.exists]


def preview_upkeep(work: TableRun, backups: Lake, keep: timedelta) -> list[UpkeepResult]:
    """What `run_upkeep` would do now. Writes nothing."""
    results = []
    for place, table in tables_of(work, backups):
        compaction = Compaction.of(table)
        if compaction is not None:
            gone = vacuum(table, keep, dry_run=True)
            results.append(UpkeepResult(place, table.key, compaction.files, len(compaction.bins), len(gone)))
    return results


def run_upkeep(work: TableRun, backups: Lake, keep: timedelta) -> list[UpkeepResult]:
    """Compact small files, write checkpoints, and remove files that left a table longer ago than `keep`.

    No row changes. Versions older than `keep` are no longer readable.
    """

    def run(held: TableRun) -> list[UpkeepResult]:
        results = []
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
                results.append(UpkeepResult(place, table.key, compaction.files, len(compaction.bins), len(gone)))
                if results[-1].changed:
                    held.log(
                        f"{place} {table.key}: {compaction.files:,} small files became {len(compaction.bins):,}, "
                        f"{len(gone):,} old files removed"
                    )
        return results

    return with_table_lock(run)(work)
