"""Retention: rows that are older than their table keeps them leave bronze, quarantine and silver, in this order.

Silver last: it says which keys have expired, and a run that was killed before finds them there again. A landed row
that was published is as old as its row in silver is, or would be; one in quarantine is as old as its cell says, or, where
that cannot be read, as its landing. When the job runs belongs in `orchestration`.
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
from dq_pipelines.lake.rewrite import Chosen, Either, Listed, Meeting, Removal
from dq_pipelines.lake.schema_evolution import conformed
from dq_pipelines.lake.table_lock import Claim, claimed, staged
from dq_pipelines.lake.tables import Lake, LakeTable
from dq_pipelines.pipeline.bronze.landed import BATCH, INGESTED_AT
from dq_pipelines.pipeline.maintenance.row_lineage import GOES, Traces
from dq_pipelines.pipeline.quarantine.refused_rows import PLACE
from dq_pipelines.pipeline.runtime.table_run import TableRun, alone
from dq_pipelines.project import Retention
from dq_pipelines.transforms.types import name_of


@dataclass(frozen=True)
class Expiry:
    """What one table lost, or would lose, because it was old."""

    #: `silver/<name>`
    table: str
    #: what is older goes
    before: datetime
    #: one sentence: which column before what
    why: str
    #: rows that go, by layer in the order in which they go
    rows: dict[str, int]
    #: rows of bronze of which nobody can tell what became of them: they stay
    untold: int = 0
    #: rows that were copied and compared, by layer
    backed_up: dict[str, int] | None = None
    publications: tuple[Publication, ...] = ()
    deletion: str | None = None

    @property
    def total(self) -> int:
        return sum(self.rows.values())


def expire(work: TableRun, backups: Lake, run: str = "") -> Expiry | None:
    """Delete what is too old, having copied it first where the table wants that; None where nothing was published.

    Raises RuleError when the column that gives rows their age is not there, PublishError when a copy is not what was
    to be copied, or the lake refuses: nothing was deleted then from the layer at hand.
    """
    return alone(lambda held: _expired(held, backups, run))(work)


def expiring(work: TableRun) -> Expiry | None:
    """What `expire` would delete now; nothing is written."""
    plan = _Plan.of(work)
    return plan.expiry if plan else None


def _expired(work: TableRun, backups: Lake, run: str) -> Expiry | None:
    retention = _retention(work)
    with _held(work, backups, wanted=retention.backup) as claim:
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
            copied[removal.key] = backup.copy(removal.among(), deletion, claim)
            work.log(f"{removal.key}: {counted(copied[removal.key], 'row')} copied to {backup.copies.uri} and compared")
        published = tuple(_removed(work, removal, deletion) for removal in plan.removals)
    return replace(plan.expiry, backed_up=copied or None, publications=published, deletion=deletion.id)


@contextmanager
def _held(work: TableRun, backups: Lake, *, wanted: bool) -> Iterator[Claim]:
    """The claim to the table's backup, where it has one."""
    if not wanted:
        yield Claim()
        return
    with claimed(backups, work.table.name, lambda _: work.may_commit()) as claim:
        yield claim


def _removed(work: TableRun, removal: Removal, deletion: Deletion) -> Publication:
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
    """What is to go, looked up but not done."""

    expiry: Expiry
    removals: tuple[Removal, ...]

    @classmethod
    def of(cls, work: TableRun) -> _Plan | None:
        traces = Traces.of(work)
        if traces is None:
            return None
        retention = _retention(work)
        age = _Age.of(traces, retention, work.now)
        landed = traces.landed()
        known = _expired_in_bronze(traces, age, landed)
        chosen: list[tuple[Snapshot | None, Chosen]] = [
            (traces.bronze, Listed(known)),
            (traces.quarantine, Either(_expired_in_quarantine(traces, age) & ~traces.healed, known)),
            (traces.silver, Meeting(age.exceeded)),
        ]
        name = f"expire-{Deletion.new(work.now, '', '').id}"
        removals = [Removal(snapshot, rows, name) for snapshot, rows in chosen if snapshot is not None]
        why = f"retention: {retention.by} before {age.before.isoformat(timespec='seconds')} ({retention.keep})"
        rows = {removal.key: removal.rows for removal in removals}
        expiry = Expiry(work.table.key, age.before, why, rows, traces.untold(landed))
        return cls(expiry, tuple(removal for removal in removals if removal.rows))


@dataclass(frozen=True)
class _Age:
    """How old a row may be."""

    column: str
    dtype: pl.DataType
    before: datetime

    @classmethod
    def of(cls, traces: Traces, retention: Retention, now: datetime) -> _Age:
        dtype = traces.column(retention.by)
        if not isinstance(dtype, pl.Date | pl.Datetime):
            raise RuleError(
                f"{traces.work.table.key}: retention wants {retention.by} to be a date or a datetime, "
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
        """Whether a row is too old: null for one without a date, which never is."""
        return pl.col(exact(self.column)).cast(self.dtype) < self.limit


def _expired_in_quarantine(traces: Traces, age: _Age) -> pl.Expr:
    """A row whose date is missing or cannot be read is as old as its landing."""
    texts = traces.quarantine.schema if traces.quarantine is not None else pl.Schema()
    landed_before = pl.col(INGESTED_AT) < pl.lit(age.before)
    if age.column not in texts:
        return landed_before
    cell = traces.refused_cell(age.column)
    return pl.when(cell.is_not_null()).then(cell < age.limit).otherwise(landed_before)


def _expired_in_bronze(traces: Traces, age: _Age, landed: pl.LazyFrame | None) -> pl.DataFrame:
    """What the landed rows are known by that go: those that are too old, and what they replaced.

    A row in quarantine shares its fate there, unless it was mended and published since. One that waits to be judged stays.
    """
    if traces.bronze is None:
        return pl.DataFrame(schema=dict.fromkeys(PLACE, pl.String()))
    schema = {name: traces.bronze.schema[name] for name in PLACE}
    found, refused = [pl.LazyFrame(schema=schema)], traces.refused(_expired_in_quarantine(traces, age))
    if refused is not None:
        found.append(refused.filter(GOES).select(PLACE))
    if landed is not None:
        judged = landed.filter(~pl.col(BATCH).is_in(traces.waiting))
        if refused is not None:
            judged = judged.join(refused, on=PLACE, how="anti")
        goes = age.exceeded.fill_null(False)
        # After a step of one's own, a landed row is too old when all that came of it is.
        old = (
            judged.group_by(PLACE).agg(goes.all().alias(GOES)).filter(GOES) if traces.is_opaque else judged.filter(goes)
        )
        found.append(old.select(PLACE))
        if traces.work.table.landed.silver.mode == "merge":
            keys = list(traces.work.table.landed.silver.keys)
            gone = traces.silver.scan().filter(age.exceeded).select(exact_names(keys)).unique()
            same = {name: dtype for name, dtype in judged.collect_schema().items() if name in keys}
            found.append(judged.join(conformed(gone, same), on=exact_names(keys), how="semi").select(PLACE))
    there = traces.bronze.scan().select(PLACE)
    listed = pl.concat([frame.cast(schema) for frame in found]).unique()  # type: ignore[arg-type]
    return listed.join(there, on=PLACE, how="semi").collect(engine="streaming")
