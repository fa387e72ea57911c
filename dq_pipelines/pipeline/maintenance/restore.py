"""Restores silver and quarantine to an earlier version, or expired rows from the backup.

**As of a time**: silver first, then quarantine. Batches consumed since then are pending in bronze again, and the next run
judges them by today's YAML. If the process is killed in between, quarantine still has rows of those batches. The next run
removes them, as it does after an interrupted publication.

**From the backup**: bronze, quarantine, then silver, each deletion once. In a table with keys, a row returns only if silver
has no row with its keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.config.counting import counted
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.backup import BACKUP_COLUMNS, DELETION, EXPIRED_AT, RESTORED, Backup
from dq_pipelines.lake.formats.commit import Commit, Insert, Merge
from dq_pipelines.lake.ledger import reruns_in, transactions
from dq_pipelines.lake.publish import Publication
from dq_pipelines.lake.schema_evolution import exactly, fits
from dq_pipelines.lake.tables import Lake, LakeTable
from dq_pipelines.lake.time_travel import Moment, TableRestore
from dq_pipelines.pipeline.bronze.input_identity import INPUT
from dq_pipelines.pipeline.runtime.table_run import TableRun, with_table_lock
from dq_pipelines.pipeline.silver.precedence import last_of_keys
from dq_pipelines.transforms.types import name_of


def plan_restore(work: TableRun, moment: Moment, layer: str | None = None) -> list[TableRestore]:
    """Which tables to restore to which version, in this order. Writes nothing.

    Without a layer: silver and quarantine, or gold and its quarantine. Quarantine is restored to the time at which the
    version of the first table was committed. Raises ConfigError; raises PublishError where files were vacuumed, or where
    rows would be lost or doubled.
    """
    if layer is not None:
        restore_of_layer = TableRestore.to(work.lake.table(f"{layer}/{work.table.name}"), moment)
        _require_consistent(work, layer, restore_of_layer)
        return [restore_of_layer]
    first = TableRestore.to(work.lake.table(work.table.key), moment)
    if not work.quarantine.exists:
        return [first]
    return [
        first,
        TableRestore.to(work.quarantine, Moment(first.at.isoformat()) if moment.version is not None else moment),
    ]


def _require_consistent(work: TableRun, layer: str, back: TableRestore) -> None:
    """Raise PublishError where restoring one layer alone would lose or double rows of another."""
    if layer == "bronze" and (landed := [name for name in back.taken_back if name.startswith(INPUT)]):
        raise PublishError(
            f"{back.table.key}: {counted(len(landed), 'input', 'has', 'have')} landed since version {back.then.version}, which silver may "
            f"have consumed: they would land twice; restore the table without a layer, bronze keeps its rows"
        )
    if layer == "silver" and reruns_in(back.taken_back):
        raise PublishError(
            f"{back.table.key}: quarantine was written anew by a rerun since version {back.then.version}: rows would be "
            f"in both or in neither; restore {work.table.name} without a layer"
        )
    published = transactions(work.silver)
    if layer == "quarantine" and (lost := [name for name in back.taken_back if name in published]):
        raise PublishError(
            f"{back.table.key}: silver has consumed {counted(len(lost), 'batch')} since version {back.then.version}, whose "
            f"refused rows would be nowhere; restore {work.table.name} without a layer"
        )


def restore(work: TableRun, moment: Moment, layer: str | None = None) -> list[Publication]:
    """Restore a table to an earlier version: one commit for each layer that changes."""

    def back(held: TableRun) -> list[Publication]:
        done = []
        for each in plan_restore(held, moment, layer):
            if each.changes:
                held.may_commit()
                done.append(each.commit())
                held.log(f"{each.table.key} is as of version {each.then.version} again")
        return done

    return with_table_lock(back)(work)


@dataclass(frozen=True)
class Recovery:
    """Rows of one layer to restore from the backup."""

    table: LakeTable
    rows: pl.LazyFrame
    #: ids of the deletions that removed them
    deletions: tuple[str, ...]
    #: columns of the backup that the table no longer has
    lost_columns: tuple[str, ...]
    #: with keys, rows whose keys the table has are not restored
    keys: tuple[str, ...] = ()

    @property
    def consumed(self) -> Mapping[str, int]:
        return {f"{RESTORED}{each}": 1 for each in self.deletions}

    def count(self) -> int:
        """The number of rows to restore."""
        return int(self._missing().select(pl.len()).collect(engine="streaming").item())

    def _missing(self) -> pl.LazyFrame:
        if not self.keys:
            return self.rows
        return self.rows.join(self.table.scan().select(exact_names(self.keys)), on=exact_names(self.keys), how="anti")

    def commit(self) -> Publication:
        """Restore them in one commit."""
        rows = self.count()
        change = Merge(self.rows, self.keys, insert_only=True) if self.keys else Insert(self.rows)
        metadata, once = {"dq.restore": "from the backup"}, dict.fromkeys(self.consumed)
        done = self.table.commit(Commit(change, self.consumed, metadata, once))
        return Publication(self.table.key, done.version, rows)


def plan_recovery(work: TableRun, backups: Lake) -> list[Recovery]:
    """What to restore from the backup, in this order. Writes nothing. Raises PublishError where there is no backup."""
    layers = [work.lake.table(f"bronze/{work.table.name}"), work.quarantine, work.silver]
    planned, copied = [], False
    for table in layers:
        backup = Backup.of(table, backups)
        if not (table.exists and backup.copies.exists):
            continue
        copied = True
        if kept := backup.kept:
            planned.append(_recovery(work, backup, kept))
    if not copied:
        raise PublishError(f"{work.table.key}: no backup of it (looked in {backups.root})")
    return planned


def _recovery(work: TableRun, backup: Backup, kept: list[str]) -> Recovery:
    table, copies = backup.table, backup.copies.scan().filter(pl.col(DELETION).is_in(kept))
    silver = work.table.landed.silver
    keys = silver.keys if table == work.silver and silver.mode == "merge" else ()
    if keys:  # a row may have landed, and expired, more than once
        copies = last_of_keys(copies.sort(EXPIRED_AT, maintain_order=True), silver)
    wanted, there = table.scan().collect_schema(), copies.collect_schema()
    own = set(wanted) | {*BACKUP_COLUMNS}
    lost = tuple(name for name in there if name not in own)
    retyped = [name for name, dtype in wanted.items() if there.get(name, dtype) != dtype]
    misfits = copies.select((~fits(name, there[name], wanted[name])).any() for name in retyped).collect(
        engine="streaming"
    )
    for name in (name for name in retyped if misfits[name].item()):
        raise PublishError(
            f"{table.key}: wanted values of the column '{name}' that are {name_of(wanted[name])}, got others in the backup, "
            f"where it is {name_of(there[name])}; nothing was done"
        )
    return Recovery(table, exactly(copies, wanted), tuple(kept), lost, keys)


def recover(work: TableRun, backups: Lake) -> list[Publication]:
    """Restore expired rows from the backup, each once."""

    def back(held: TableRun) -> list[Publication]:
        done = []
        for each in plan_recovery(held, backups):
            held.may_commit()
            done.append(each.commit())
            held.log(f"{each.table.key}: {counted(done[-1].rows, 'row', 'is', 'are')} back")
        return done

    return with_table_lock(back)(work)
