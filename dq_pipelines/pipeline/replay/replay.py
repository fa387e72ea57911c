"""Replay: refused rows once more through today's types, steps and rules, and what they let through is published.

Quarantine is told first which rows go into which replay, then silver gets them, in a commit that names the replay. A
replay that was killed in between is not in silver's ledger, so its rows count as open, and the next one takes them.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.config.counting import counted
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.results.reasons import REASONS
from dq_pipelines.errors import PublishError
from dq_pipelines.history.store.records import REPLAY, VerdictRecord
from dq_pipelines.lake.ledger import consumption
from dq_pipelines.lake.publish import Mode, publish
from dq_pipelines.lake.schema_evolution import Drift, drift, exactly
from dq_pipelines.lake.schema_rewrite import rewriting
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.lake.update import update
from dq_pipelines.pipeline.bronze.landed import INGESTED_AT
from dq_pipelines.pipeline.bronze.landing_schema import about_to_be_published, schema_of
from dq_pipelines.pipeline.bronze.ledger_agreement import must_agree
from dq_pipelines.pipeline.quarantine.corrections import Cells
from dq_pipelines.pipeline.quarantine.quarantine_status import ALL, Chosen, must_land, refused_of, tell_superseded
from dq_pipelines.pipeline.quarantine.refused_rows import (
    CORRECTION,
    DISMISSED,
    FIXED,
    ID,
    INTO,
    OPEN,
    PLACE,
    REPLAYED,
    STATUS,
    STATUS_AT,
    STATUS_BY,
)
from dq_pipelines.pipeline.replay.revalidation import Rejudgement, not_overtaken
from dq_pipelines.pipeline.runtime.outcome import Counts, elapsed
from dq_pipelines.pipeline.runtime.table_run import Work, alone, staged
from dq_pipelines.pipeline.runtime.verdict_recovery import told
from dq_pipelines.pipeline.silver.precedence import latest_of_keys
from dq_pipelines.pipeline.silver.published_as import must_fit_rows
from dq_pipelines.pipeline.silver.remaining_rows import looked_up, staying_beside
from dq_pipelines.pipeline.silver.rerun import must_be_whole
from dq_pipelines.pipeline.silver.self_references import SelfReferences
from dq_pipelines.project import Silver

#: Beside a waiting row: what had been mended in it before, and why it is refused today.
BEFORE, _TODAY = "_correction_before", "_reasons_today"


@dataclass(frozen=True)
class Replayed:
    """What became of the rows that were judged again."""

    #: the id of the replay, `p-…`; of the last one, where each partition has its own
    batch: str
    #: rows that were judged
    counts: Counts = field(default_factory=Counts)
    #: ids of rows that are published now, or would be
    published: tuple[str, ...] = ()
    #: rows that are refused still: `_id`, `_source`, `_row`, `_reasons`
    failing: pl.DataFrame = field(default_factory=pl.DataFrame)
    #: ids of rows that a step or a rule of today drops, or that a later row of the same keys has replaced
    left_out: tuple[str, ...] = ()
    #: what history is to remember of it, a verdict without results for each partition
    records: tuple[VerdictRecord, ...] = ()
    #: open rows that nobody can tell the landed row of, since a step forgot it
    untraced: int = 0

    def sentence(self, *, dry_run: bool) -> str:
        """What became of the rows, or would."""
        would = "would be " if dry_run else ""
        left = f", {len(self.left_out):,} {would}left out by a step, a rule or a later row" if self.left_out else ""
        return f"{len(self.published):,} {would}published, {self.failing.height:,} refused still{left}"


def replay(
    work: Work,
    chosen: Chosen = ALL,
    *,
    by: str,
    edits: Mapping[str, Cells] | None = None,
    dry_run: bool = False,
) -> Replayed:
    """Judge open rows anew, publish those that pass, and give the others today's reasons.

    `edits` are cells that a person has mended, by row id. A dry run writes nothing. Raises RuleError when a rule cannot be
    judged, PublishError when the lake refuses; what has been published then is whole partitions.
    """
    return alone(partial(replayed, chosen=chosen, by=by, edits=edits or {}, dry_run=dry_run))(work)


def replayed(work: Work, *, chosen: Chosen, by: str, edits: Mapping[str, Cells], dry_run: bool) -> Replayed:
    """`replay`, for one who works alone on the table."""
    must_land(work)
    if not dry_run:
        # A row that such a rerun has refused may be in silver still.
        must_be_whole(work)
        must_agree(work)
        must_fit_rows(work)
    rows = chosen.rows(refused_of(work)).filter(pl.col(STATUS) == OPEN)
    waiting = _mended(rows.collect(), edits)
    untraced = waiting.filter(pl.col(ID).is_null()).height
    waiting = waiting.filter(pl.col(ID).is_not_null()).unique(ID, maintain_order=True)
    parts = [_Replay(replace(work, partition=part), rows, by).done(dry_run) for part, rows in _by_partition(waiting)]
    whole = _together(parts)
    if not edits:
        tell_superseded(work, chosen)
    if untraced:
        work.log(
            f"{work.table.key}: no step tells where {counted(untraced, 'row', 'comes', 'come')} from; only a rerun can publish what passes of them"
        )
    return replace(whole, untraced=untraced)


def _mended(waiting: pl.DataFrame, edits: Mapping[str, Cells]) -> pl.DataFrame:
    """The rows with what was mended in them before and what is mended now."""
    waiting = waiting.with_columns(pl.col(CORRECTION).alias(BEFORE))
    if not edits:
        return waiting
    before = dict(waiting.select(ID, CORRECTION).iter_rows())
    after = {
        name: json.dumps({**json.loads(before.get(name) or "{}"), **cells}, ensure_ascii=False)
        for name, cells in edits.items()
    }
    return waiting.with_columns(
        pl.col(ID).replace_strict(list(after), list(after.values()), default=pl.col(CORRECTION)).alias(CORRECTION)
    )


def _by_partition(waiting: pl.DataFrame) -> Iterator[tuple[str | None, pl.DataFrame]]:
    if PARTITION not in waiting.columns:
        if waiting.height:
            yield None, waiting
        return
    for (name,), rows in (
        waiting.sort(PARTITION).partition_by(PARTITION, as_dict=True, include_key=False, maintain_order=True).items()
    ):
        yield str(name), rows


def _together(parts: list[Replayed]) -> Replayed:
    if not parts:
        return Replayed("", failing=pl.DataFrame(schema={ID: pl.String}))
    return Replayed(
        parts[-1].batch,
        sum((part.counts for part in parts[1:]), start=parts[0].counts),
        tuple(name for part in parts for name in part.published),
        pl.concat([part.failing for part in parts]),
        tuple(name for part in parts for name in part.left_out),
        tuple(record for part in parts for record in part.records),
    )


@dataclass
class _Replay:
    """The waiting rows of a table, or of one partition of it."""

    work: Work
    #: quarantine rows, each once
    waiting: pl.DataFrame
    by: str

    def __post_init__(self) -> None:
        self.batch = f"{REPLAY}{uuid.uuid4().hex[:16]}"

    @property
    def silver(self) -> Silver:
        return self.work.table.landed.silver

    def done(self, dry_run: bool) -> Replayed:
        with tempfile.TemporaryDirectory(prefix="dq-replay-") as folder:
            return self._published(*self._judged(Path(folder)), dry_run)

    def _judged(self, folder: Path) -> tuple[pl.LazyFrame, pl.DataFrame]:
        """The rows that pass and still have their place, and those that fail."""
        work, rejudgement = self.work, Rejudgement(self.work, self.waiting, folder)
        judged = passing = pl.LazyFrame()

        def judged_with(parents: pl.LazyFrame | None) -> tuple[pl.LazyFrame, pl.DataFrame]:
            nonlocal judged, passing
            judged, failing = rejudgement.judged(parents)
            passing = not_overtaken(work, judged)
            return passing, failing

        def published() -> list[pl.LazyFrame]:
            kept = latest_of_keys(passing, self.silver)
            return [kept, *staying_beside(kept, work)]

        return SelfReferences.of(work.table.key, self.silver.rules).settled(
            judged_with,
            # None that fails now would pass with fewer parents. One that is overtaken may fail, and is refused still then.
            lambda: judged,
            lambda: looked_up(work, work.table.key, rejudgement.prepared()),
            published,
        )

    def _published(self, passing: pl.LazyFrame, failing: pl.DataFrame, dry_run: bool) -> Replayed:
        work, found = self.work, self._drift(passing)
        kept = work.stage(work.silver, self.batch)
        with staged(kept, claim=work.claim):
            latest = latest_of_keys(passing, self.silver)
            collect_all([kept.sink(exactly(latest, found.schema))])
            published = latest.select(ID).unique().sort(ID).collect()[ID].to_list()
            left = sorted(set(self.waiting[ID]) - set(published) - set(failing[ID]))
            counts = Counts(
                self.waiting.height, kept.rows, failing.height, self.waiting.height - kept.rows - failing.height
            )
            done = Replayed(self.batch, counts, tuple(published), failing, tuple(left))
            return done if dry_run else self._committed(kept, found, done)

    def _drift(self, passing: pl.LazyFrame) -> Drift:
        """How the rows differ from the table; raises PublishError for what its `schema` does not allow."""
        before = schema_of(self.work.silver)
        columns = [name for name in passing.collect_schema() if name not in (*PLACE, INGESTED_AT, ID)]
        if before is None:
            schema = about_to_be_published(passing, columns, self.work.silver)
            return Drift("rebuild", (), schema, schema)
        values = passing.select(pl.col(exact_names(columns)).is_not_null().any()).collect().row(0, named=True)
        # Bronze has the columns of every batch: those that say nothing of these rows are none of theirs.
        own = [name for name in columns if name in before or values[name]]
        found = drift(before, about_to_be_published(passing, own, self.work.silver), self.work.table.landed.evolution)
        for change in found.refused:
            kind = f"{change.kind} ({change.before or 'nothing'} to {change.after or 'nothing'})"
            allows = f"schema: {found.policy} does not allow that: allow {change.wants}, or use mode: rerun"
            raise PublishError(f"{self.work.table.key}: column '{change.column}' is {kind}, and {allows}")
        return found

    def _committed(self, kept: Stage, found: Drift, done: Replayed) -> Replayed:
        work, consumed = self.work, consumption([self.batch])
        mode: Mode = "merge" if self.silver.mode == "merge" else "append"
        changes, record = self._changes(done), self._record(done)
        changed = found if kept.rows else None
        with rewriting(kept, changed, mode, self.silver.keys, claim=work.claim, log=work.log) as rewrite:
            if changes.height:
                work.may_commit()
                update(work.quarantine, changes, ID, consumed, by=self.by)
            if kept.rows:
                work.may_commit()
                kept.tidy()
                once = tuple(consumed)
                publish(
                    kept,
                    mode,
                    consumed,
                    keys=self.silver.keys,
                    new_columns="add",
                    once=once,
                    rewrite=rewrite,
                    metadata=told(record),
                )
        return replace(done, records=(record,))

    def _record(self, done: Replayed) -> VerdictRecord:
        return VerdictRecord(
            table=self.work.table.key,
            batch=self.batch,
            run_id=self.work.run_id,
            started_at=self.work.now,
            duration_seconds=elapsed(self.work.now),
            rows_in=done.counts.rows_in,
            published=done.counts.published,
            refused=done.counts.refused,
            dropped=done.counts.dropped,
            blocked=False,
            partition=self.work.partition,
        )

    def _changes(self, done: Replayed) -> pl.DataFrame:
        """What quarantine is to say of the rows from now on; only of those of which it changes."""
        ids = pl.col(ID)
        passed, left = ids.is_in(done.published), ids.is_in(done.left_out)
        mended = pl.when(pl.col(CORRECTION).is_null()).then(pl.lit(REPLAYED)).otherwise(pl.lit(FIXED))
        today = done.failing.select(ID, pl.col(REASONS).alias(_TODAY))
        changed = self.waiting.join(today, on=ID, how="left", maintain_order="left").filter(
            passed | left | pl.col(_TODAY).ne_missing(pl.col(REASONS))
        )
        told = passed | left
        # A person has what they mended and what is wrong with it; quarantine goes on saying what landed.
        changed = changed.filter(told | pl.col(CORRECTION).eq_missing(pl.col(BEFORE)))
        return changed.select(
            ID,
            pl.when(told).then(REASONS).otherwise(_TODAY).alias(REASONS),
            pl.when(passed).then(mended).when(left).then(pl.lit(DISMISSED)).otherwise(pl.lit(OPEN)).alias(STATUS),
            pl.when(told).then(pl.lit(self.work.now).dt.cast_time_unit("us")).otherwise(STATUS_AT).alias(STATUS_AT),
            pl.when(told).then(pl.lit(self.by)).otherwise(STATUS_BY).alias(STATUS_BY),
            # What is left out for a row that this replay publishes is dismissed only once it does.
            pl.when(passed | (left & pl.lit(bool(done.published)))).then(pl.lit(self.batch)).alias(INTO),
            pl.when(passed).then(CORRECTION).otherwise(BEFORE).alias(CORRECTION),
        )
