"""Write, audit, publish: stage a batch's rows, judge them in the same scan, then commit or block.

The order of commits is bronze, quarantine, silver; each records what it consumed in the same commit
as its rows. A run killed in between is repeated by the next one without loss or duplicate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import polars as pl

from dq_pipelines.engine.polars import Judgement, Lookup, Scan, judge
from dq_pipelines.errors import PublishError, RuleError
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.publish import Publication, forget, publish, publish_errors
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import PARTITION, Lake, LakeTable
from dq_pipelines.layers.landing import (
    BATCH,
    INGESTED_AT,
    UNREADABLE,
    Batch,
    batch_of,
    batches,
    bronze,
    new_inputs,
    pending_batches,
)
from dq_pipelines.layers.outcome import Counts, Outcome, elapsed
from dq_pipelines.layers.quarantine import miscast_by_column, refused_rows, unreadable_rows
from dq_pipelines.layers.silver import key_rules, may_drop, prepare, rules_of
from dq_pipelines.project import Table
from dq_pipelines.rules.asides import Repeats
from dq_pipelines.rules.base import RowRule, Rule
from dq_pipelines.sources import ROW, SOURCE
from dq_pipelines.sources.failures import broken

PREVIEW_ROWS = 10


@dataclass(frozen=True)
class Work:
    """One table, the lake it lives in, and the run that works on it."""

    table: Table
    lake: Lake
    partition: str | None = None
    #: called before every commit; raises when the run was cancelled meanwhile
    may_commit: Callable[[], None] = lambda: None
    #: says in one line what is being done
    log: Callable[[str], None] = lambda _: None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def published(self, key: str) -> pl.LazyFrame:
        """The published rows of another table of the project; raises RuleError when there are none yet."""
        try:
            return self.lake.table(key).scan()
        except PublishError as error:
            raise RuleError(str(error)) from None

    @property
    def silver(self) -> LakeTable:
        return self.lake.table(f"silver/{self.table.name}")

    @property
    def quarantine(self) -> LakeTable:
        return self.lake.table(f"quarantine/{self.table.name}")

    def stage(self, table: LakeTable, batch: str) -> Stage:
        return Stage(table, batch, self.partition)


def checked_rules(table: Table) -> list[Rule]:
    """The rules of a table that have a check of their own, in order."""
    if table.is_gold:
        return list(table.rules)
    return [*key_rules(table.landed.silver), *table.rules]


def land(work: Work) -> Batch | None:
    """Bring what is new into bronze, and nothing further; None when nothing is new."""
    inputs = new_inputs(work.table, work.lake, work.partition)
    if not inputs:
        return None
    batch = batch_of(work.table.landed.source, inputs, work.now, bronze(work.table, work.lake))
    stage = work.stage(bronze(work.table, work.lake), batch.id)
    with staged(stage), broken(work.table.key, "to read its inputs"):
        pl.collect_all([stage.sink(batch.rows)], engine="streaming")
        _commit_bronze(work, batch, stage)
    return batch


def _commit_bronze(work: Work, batch: Batch, stage: Stage) -> Publication:
    batch.must_be_unchanged()
    work.may_commit()
    stage.tidy()
    publication = publish(stage, "append", batch.consumed, new_columns="add")
    work.log(f"landed {publication.rows:,} rows of {len(batch.inputs)} inputs in {publication.key}")
    return publication


def refine(work: Work) -> Outcome | None:
    """Land what is new, judge everything that silver has not consumed, and publish it or block it.

    None when there is nothing to judge. Raises SourceError, RuleError or PublishError, and has then
    published nothing to silver.
    """
    inputs = new_inputs(work.table, work.lake, work.partition)
    backlog = pending_batches(work.table, work.lake, work.silver, work.partition)
    if not inputs and not backlog:
        return None
    batch = batch_of(work.table.landed.source, inputs, work.now, bronze(work.table, work.lake)) if inputs else None
    return _Refinement(work, batch, tuple(backlog)).run()


def rerun(work: Work) -> Outcome | None:
    """Land what is new, then judge all of bronze (or of the partition) anew and replace what was published."""
    land(work)
    every = batches(work.table, work.lake, work.partition)
    return _Refinement(work, None, tuple(every), replaces=True).run() if every else None


@dataclass
class _Refinement:
    """One batch on its way: the rows that just landed, and bronze batches that silver has not consumed."""

    work: Work
    landing: Batch | None
    backlog: tuple[str, ...]
    #: whether the published rows are replaced rather than added to
    replaces: bool = False

    def __post_init__(self) -> None:
        work = self.work
        self.silver = work.table.landed.silver
        self.batch = self.landing.id if self.landing else _joint_id(self.backlog)
        self.bronze = work.stage(bronze(work.table, work.lake), self.batch) if self.landing else None
        self.kept = work.stage(work.silver, self.batch)
        self.refused = work.stage(work.quarantine, self.batch)
        self.consumed = [*self.backlog, *([self.landing.id] if self.landing else [])]
        # A cache node: bronze's sink and the judge read the source once between them.
        self.landed = self.landing.rows.cache() if self.landing else None
        self.rows = self._rows(self.landed)
        self.prepared = prepare(self.silver, self.rows)
        self.columns = self.prepared.columns

    def run(self) -> Outcome:
        with staged(*(stage for stage in (self.bronze, self.kept, self.refused) if stage)):
            judgement = self._judge()
            if self.landing and self.bronze:
                _commit_bronze(self.work, self.landing, self.bronze)
            outcome = self._outcome(judgement)
            if not outcome.blocked_by:
                outcome = self._publish(outcome)
        return outcome

    def _rows(self, landing: pl.LazyFrame | None) -> pl.LazyFrame:
        """The bronze rows to judge: the backlog's, then those of this landing."""
        frames = []
        if self.backlog:
            rows = bronze(self.work.table, self.work.lake).scan().filter(pl.col(BATCH).is_in(list(self.backlog)))
            frames.append(self._without_superseded(rows))
        if landing is not None:
            frames.append(landing)
        return frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed")

    def _without_superseded(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """An input that landed again replaces what waits of its earlier version; a snapshot, whatever waits."""
        if self.silver.mode == "overwrite":
            if self.landing is not None:
                return rows.filter(pl.lit(False))
            return rows.filter(pl.col(INGESTED_AT) == pl.col(INGESTED_AT).max())
        if self.landing is None or self.replaces:
            return rows
        return rows.filter(~pl.col(SOURCE).is_in([item.uri for item in self.landing.inputs]))

    def _judge(self) -> Judgement:
        work = self.work
        scan = Scan(
            self.prepared.rows,
            rules_of(self.silver, self.prepared),
            lookup=self._lookup,
            hidden=self.prepared.hidden,
        )
        with broken(work.table.key, "to read and judge its rows"):
            return judge(scan, self._sinks, again=self._again)

    def _sinks(self, scan: Scan) -> Sequence[pl.LazyFrame]:
        first = (
            [self.bronze.sink(self.landed)] if self.landed is not None and self.bronze and not self.bronze.begun else []
        )
        refused = [refused_rows(rows, self.columns) for rows in (scan.refused, *self.prepared.refused)]
        quarantined = [*refused, unreadable_rows(self.rows, self.columns)]
        kept = self._latest_of_keys(scan.kept).select(self.columns)
        return [*first, self.kept.sink(kept), self.refused.sink(pl.concat(quarantined))]

    def _latest_of_keys(self, kept: pl.LazyFrame) -> pl.LazyFrame:
        """Of the kept rows with the same merge keys, the one that landed last."""
        if self.silver.mode != "merge" or self._keys_are_judged:
            return kept
        order = [name for name in (INGESTED_AT, SOURCE, ROW) if name in kept.collect_schema()]
        return kept.sort(order, maintain_order=True).unique(self.silver.keys, keep="last", maintain_order=True)

    @property
    def _keys_are_judged(self) -> bool:
        """Whether a rule refuses rows whose merge keys repeat."""
        asides = [rule.aside() for rule in self.silver.rules if isinstance(rule, RowRule) and rule.refuses]
        wanted = set(self.silver.keys)
        return any(
            isinstance(aside, Repeats) and set(aside.columns) == wanted and not aside.row_condition for aside in asides
        )

    def _again(self) -> pl.LazyFrame:
        """The rows to judge, read from what was just staged rather than from the source once more."""
        if self.bronze is not None:
            self.rows = self._rows(self.bronze.scan())
            self.prepared = prepare(self.silver, self.rows)
        return self.prepared.rows

    @property
    def _lookup(self) -> Lookup:
        def lookup(key: str) -> pl.LazyFrame:
            if key != self.work.table.key:
                return self.work.published(key)
            # A parent in the table itself may have been published before, or come with this batch.
            rows = self.prepared.rows.select(self.columns)
            there = self.work.silver.delta() is not None
            return pl.concat([self.work.silver.scan(), rows], how="diagonal_relaxed") if there else rows

        return lookup

    def _outcome(self, judgement: Judgement) -> Outcome:
        rows_in = self.rows.select(pl.len()).collect(engine="streaming").item()
        unreadable = self.rows.filter(pl.col(UNREADABLE).is_not_null()).select(pl.len()).collect().item()
        split_off = self.refused.rows - judgement.refused - unreadable
        counts = Counts(
            rows_in=rows_in,
            published=self.kept.rows,
            refused=self.refused.rows,
            dropped_by_rules=judgement.dropped,
            dropped_by_transform=rows_in - unreadable - split_off - judgement.rows if may_drop(self.silver) else 0,
            superseded=0 if self._keys_are_judged else judgement.kept - self.kept.rows,
            unreadable=unreadable,
        )
        return Outcome(
            table=self.work.table.key,
            batch=self.batch,
            results=judgement.results,
            counts=counts,
            started_at=self.work.now,
            partition=self.work.partition,
            sources=tuple(item.uri for item in self.landing.inputs) if self.landing else (),
            schema=dict(self.kept.schema),
            miscast=miscast_by_column(self.refused.scan()),
            preview=self.kept.scan().select(self.columns).head(PREVIEW_ROWS).collect(),
            seconds=elapsed(self.work.now),
        )

    def _publish(self, outcome: Outcome) -> Outcome:
        if not outcome.counts.accounted_for:
            raise PublishError(f"{outcome.table}: rows do not add up, nothing was published: {outcome.counts}")
        work, mode = self.work, "overwrite" if self.replaces else self.silver.mode
        done = []
        consumed = {f"batch:{batch}": 1 for batch in self.consumed}
        work.may_commit()
        self.refused.tidy()
        if not self.replaces:
            before = transactions(work.quarantine)
            forget(self.refused, [batch for batch in self.consumed if f"batch:{batch}" in before])
        done.append(publish(self.refused, "overwrite" if self.replaces else "append", consumed, new_columns="add"))
        work.may_commit()
        self.kept.tidy()
        done.append(publish(self.kept, mode, consumed, keys=self.silver.keys))
        work.log(
            f"published {outcome.counts.published:,} of {outcome.counts.rows_in:,} rows to {work.table.key}, "
            f"{outcome.counts.refused:,} to quarantine"
        )
        return replace(outcome, publications=tuple(done), seconds=elapsed(work.now))


def _joint_id(batches: Sequence[str]) -> str:
    """The id of several bronze batches that are judged together."""
    if len(batches) == 1:
        return batches[0]
    return f"r-{hashlib.sha256(','.join(sorted(batches)).encode()).hexdigest()[:16]}"


def judge_published(work: Work) -> Outcome:
    """Judge the published table as it stands; nothing is written."""
    rows = work.published(work.table.key)
    hidden = frozenset({PARTITION}) if work.partition is not None or _has_partition(rows) else frozenset()
    if work.partition is not None:
        rows = rows.filter(pl.col(PARTITION) == work.partition)
    scan = Scan(rows, checked_rules(work.table), lookup=work.published, hidden=hidden)
    with broken(work.table.key, "to judge its rows"):
        judgement = judge(scan)
    counts = Counts(rows_in=judgement.rows, published=judgement.rows)
    return Outcome(work.table.key, "", judgement.results, counts, work.now, work.partition, seconds=elapsed(work.now))


def _has_partition(rows: pl.LazyFrame) -> bool:
    return PARTITION in rows.collect_schema()


@contextmanager
def staged(*stages: Stage) -> Iterator[None]:
    """Remove what was staged and not committed, however the block ends."""
    try:
        for stage in stages:
            with publish_errors(stage.table.key, stage.table.uri):
                stage.prepare()
        yield
    finally:
        for stage in stages:
            stage.discard_uncommitted()
