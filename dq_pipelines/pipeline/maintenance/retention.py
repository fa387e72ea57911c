"""Deletes rows that are older than their table's retention: from bronze, quarantine and silver, in this order.

Silver is last because its rows decide which keys have expired: if a run is killed, the next one finds them again. A landed
row that was published has the age of its row in silver. A row in quarantine has the age of its own cell, or of its landing
where the cell cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.config.counting import counted
from dq_pipelines.errors import RuleError
from dq_pipelines.lake.backup import Backup, Deletion
from dq_pipelines.lake.formats.snapshot import Snapshot
from dq_pipelines.lake.publish import Publication
from dq_pipelines.lake.rewrite import ByCondition, ByConditionOrKeys, ByKeys, Removal, RowSelection
from dq_pipelines.lake.schema_evolution import conformed
from dq_pipelines.lake.table_lock import Claim, claimed, staged
from dq_pipelines.lake.tables import Lake, LakeTable
from dq_pipelines.pipeline.bronze.landed import BATCH, INGESTED_AT
from dq_pipelines.pipeline.maintenance.row_lineage import GOES, RowLineage
from dq_pipelines.pipeline.quarantine.refused_rows import PLACE
from dq_pipelines.pipeline.runtime.table_run import TableRun, with_table_lock
from dq_pipelines.project import Retention
from dq_pipelines.transforms.types import name_of


@dataclass(frozen=True)
class Expiry:
    """What retention deleted, or would delete, from one table."""

    #: `silver/<name>`
    table: str
    #: older rows are deleted
    before: datetime
    #: one sentence: which column before what
    why: str
    #: deleted rows by layer, in the order of deletion
    rows: dict[str, int]
    #: judged rows of bronze whose outcome is unknown, because a step drops their origin: they are kept
    untraceable: int = 0
    #: rows that were copied and compared, by layer
    backed_up: dict[str, int] | None = None
    publications: tuple[Publication, ...] = ()
    deletion: str | None = None

    @property
    def total(self) -> int:
        return sum(self.rows.values())


def expire(work: TableRun, backups: Lake, run: str = "") -> Expiry | None:
    """Delete rows that are too old, after copying them where the table has a backup; None where nothing was published.

    Raises RuleError when the column of the retention is missing. Raises PublishError when a copy differs from its rows or
    the lake cannot be written; then nothing was deleted from that layer.
    """
    return with_table_lock(lambda held: _expired(held, backups, run))(work)


def preview_expiry(work: TableRun) -> Expiry | None:
    """What `expire` would delete now. Writes nothing."""
    plan = _Plan.of(work)
    return plan.expiry if plan else None


def _expired(work: TableRun, backups: Lake, run: str) -> Expiry | None:
    retention = _retention(work)
    with _backup_claim(work, backups, wanted=retention.backup) as claim:
        if retention.backup:
            for layer in _layers(work):
                if void := Backup.of(layer, backups).void(claim):
                    work.log(
                        f"{layer.key}: {void} copies of what was not deleted after all were removed from the backup"
                    )
        plan = _Plan.of(work)
        if plan is None or not plan.expiry.total:
            return plan.expiry if plan else None
        deletion = Deletion.new(work.now, plan.expiry.why, run)
        copied = {}
        for removal in plan.removals if retention.backup else ():
            work.may_commit()
            backup = Backup.of(removal.table, backups)
            copied[removal.key] = backup.copy(removal.selected(), deletion, claim)
            work.log(f"{removal.key}: {counted(copied[removal.key], 'row')} copied to {backup.copies.uri} and compared")
        published = tuple(_remove(work, removal, deletion) for removal in plan.removals)
    return replace(plan.expiry, backed_up=copied or None, publications=published, deletion=deletion.id)


@contextmanager
def _backup_claim(work: TableRun, backups: Lake, *, wanted: bool) -> Iterator[Claim]:
    """Hold the claim to the table's backup, if the table has one."""
    if not wanted:
        yield Claim()
        return
    with claimed(backups, work.table.name, lambda _: work.may_commit()) as claim:
        yield claim


def _remove(work: TableRun, removal: Removal, deletion: Deletion) -> Publication:
    with staged(*removal.stages, claim=work.claim):
        removal.write()
        work.may_commit()
        done = removal.commit(deletion.consumed, {"dq.retention": deletion.why}, once=[deletion.name])
    work.log(f"{removal.key}: {counted(removal.rows, 'row')} deleted, {deletion.why}")
    return done


def _retention(work: TableRun) -> Retention:
    retention = None if work.table.is_gold else work.table.landed.retention
    if retention is None:
        raise RuleError(f"{work.table.key}: wanted `retention` in {work.table.file or 'its YAML'}, found none")
    return retention


def _layers(work: TableRun) -> tuple[LakeTable, ...]:
    every = (work.lake.table(f"bronze/{work.table.name}"), work.quarantine, work.silver)
    return tuple(table for table in every if table.exists)


@dataclass(frozen=True)
class _Plan:
    """What to delete, planned from one version of each layer."""

    expiry: Expiry
    removals: tuple[Removal, ...]

    @classmethod
    def of(cls, work: TableRun) -> _Plan | None:
        lineage = RowLineage.of(work)
        if lineage is None:
            return None
        retention = _retention(work)
        age = _Age.of(lineage, retention, work.now)
        landed = lineage.landed()
        expired = _expired_in_bronze(lineage, age, landed)
        selections: list[tuple[Snapshot | None, RowSelection]] = [
            (lineage.bronze, ByKeys(expired)),
            (
                lineage.quarantine,
                ByConditionOrKeys(_expired_in_quarantine(lineage, age) & ~lineage.published_later, expired),
            ),
            (lineage.silver, ByCondition(age.exceeded)),
        ]
        name = f"expire-{Deletion.new(work.now, '', '').id}"
        removals = [Removal(snapshot, rows, name) for snapshot, rows in selections if snapshot is not None]
        why = f"retention: {retention.by} before {age.before.isoformat(timespec='seconds')} ({retention.keep})"
        rows = {removal.key: removal.rows for removal in removals}
        expiry = Expiry(work.table.key, age.before, why, rows, lineage.untraceable(landed))
        return cls(expiry, tuple(removal for removal in removals if removal.rows))


@dataclass(frozen=True)
class _Age:
    """The age limit of rows, by one column."""

    column: str
    dtype: pl.DataType
    before: datetime

    @classmethod
    def of(cls, lineage: RowLineage, retention: Retention, now: datetime) -> _Age:
        dtype = lineage.column(retention.by)
        if not isinstance(dtype, pl.Date | pl.Datetime):
            raise RuleError(
                f"{lineage.work.table.key}: retention wants {retention.by} to be a date or a datetime, "
                f"got {name_of(dtype)}"
            )
        return cls(retention.by, dtype, (now - retention.length).astimezone(UTC))

    @property
    def limit(self) -> pl.Expr:
        if isinstance(self.dtype, pl.Date):
            return pl.lit(self.before.date())
        moment = self.before if self.dtype.time_zone else self.before.replace(tzinfo=None)  # type: ignore[attr-defined]
        return pl.lit(moment).cast(self.dtype)

    @property
    def exceeded(self) -> pl.Expr:
        """Whether a row is too old; null for a row without a date, which is kept."""
        return pl.col(exact(self.column)).cast(self.dtype) < self.limit


def _expired_in_quarantine(lineage: RowLineage, age: _Age) -> pl.Expr:
    """Whether a row of quarantine is too old, by its own cell; by its landing time where the cell is missing or unreadable."""
    texts = lineage.quarantine.schema if lineage.quarantine is not None else pl.Schema()
    landed_before = pl.col(INGESTED_AT) < pl.lit(age.before)
    if age.column not in texts:
        return landed_before
    cell = lineage.refused_cell(age.column)
    return pl.when(cell.is_not_null()).then(cell < age.limit).otherwise(landed_before)


def _expired_in_bronze(lineage: RowLineage, age: _Age, landed: pl.LazyFrame | None) -> pl.DataFrame:
    """The `PLACE` of each landed row to delete: rows that are too old, and earlier rows that they replaced.

    A row in quarantine is deleted with its row there, unless it was corrected and published since. Rows of pending batches
    are kept.
    """
    if lineage.bronze is None:
        return pl.DataFrame(schema=dict.fromkeys(PLACE, pl.String()))
    schema = {name: lineage.bronze.schema[name] for name in PLACE}
    parts, refused = [pl.LazyFrame(schema=schema)], lineage.refused(_expired_in_quarantine(lineage, age))
    if refused is not None:
        parts.append(refused.filter(GOES).select(PLACE))
    if landed is not None:
        judged = landed.filter(~pl.col(BATCH).is_in(lineage.waiting))
        if refused is not None:
            judged = judged.join(refused, on=PLACE, how="anti")
        goes = age.exceeded.fill_null(False)
        # After a `sql` or `python` step, a landed row is too old when all rows made from it are.
        old = (
            judged.group_by(PLACE).agg(goes.all().alias(GOES)).filter(GOES)
            if lineage.is_opaque
            else judged.filter(goes)
        )
        parts.append(old.select(PLACE))
        if lineage.work.table.landed.silver.mode == "merge":
            keys = list(lineage.work.table.landed.silver.keys)
            gone = lineage.silver.scan().filter(age.exceeded).select(exact_names(keys)).unique()
            key_types = {name: dtype for name, dtype in judged.collect_schema().items() if name in keys}
            parts.append(judged.join(conformed(gone, key_types), on=exact_names(keys), how="semi").select(PLACE))
    in_bronze = lineage.bronze.scan().select(PLACE)
    listed = pl.concat([frame.cast(schema) for frame in parts]).unique()  # type: ignore[arg-type]
    return listed.join(in_bronze, on=PLACE, how="semi").collect(engine="streaming")
