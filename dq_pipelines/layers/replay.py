"""Replay: refused rows once more through today's types, steps and rules, and what they let through is published.

A row is judged from bronze, with what a person has mended in it laid over. Rules on keys, order and means are about
the batch that the row came with, so where there are such, the whole batch is judged and the waiting rows taken out of
it. Rules on the whole table are not asked: they were about batches that have come and gone.

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

from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.judge import judge
from dq_pipelines.engine.polars import Scan
from dq_pipelines.engine.reasons import REASONS
from dq_pipelines.errors import PublishError, RuleError
from dq_pipelines.history.records import REPLAY, VerdictRecord
from dq_pipelines.lake.evolution import Drift, drift, exactly
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.publish import Mode, publish
from dq_pipelines.lake.retyping import rewriting
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.lake.update import update
from dq_pipelines.layers.corrections import Cells, corrected, corrections
from dq_pipelines.layers.drift import about_to_be_published, schema_of
from dq_pipelines.layers.healing import ALL, Chosen, must_land, refused_of
from dq_pipelines.layers.landing import BATCH, INGESTED_AT, bronze
from dq_pipelines.layers.outcome import Counts, elapsed
from dq_pipelines.layers.quarantine import (
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
    identity,
    refused_rows,
    unreadable_rows,
)
from dq_pipelines.layers.refinement import consumption, latest_of_keys, looked_up
from dq_pipelines.layers.remembering import told
from dq_pipelines.layers.silver import Prepared, misread, prepare, rules_of
from dq_pipelines.layers.work import Work, alone, staged
from dq_pipelines.project import Silver
from dq_pipelines.rules.asides import ByText, Exists
from dq_pipelines.rules.base import Rule
from dq_pipelines.rules.functions import PythonFunction
from dq_pipelines.rules.on_rows import RowRule
from dq_pipelines.sources import ROW, SOURCE
from dq_pipelines.sources.failures import broken
from dq_pipelines.transforms.steps import OPAQUE, Deduplicate

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
    return alone(partial(_replayed, chosen=chosen, by=by, edits=edits or {}, dry_run=dry_run))(work)


def _replayed(work: Work, *, chosen: Chosen, by: str, edits: Mapping[str, Cells], dry_run: bool) -> Replayed:
    must_land(work)
    rows = chosen.rows(refused_of(work)).filter(pl.col(STATUS) == OPEN)
    waiting = _mended(rows.collect(), edits)
    untraced = waiting.filter(pl.col(ID).is_null()).height
    waiting = waiting.filter(pl.col(ID).is_not_null()).unique(ID, maintain_order=True)
    parts = [_Replay(replace(work, partition=part), rows, by).done(dry_run) for part, rows in _by_partition(waiting)]
    whole = _together(parts)
    said = f"{len(whole.published):,} of {waiting.height:,} open rows {'would be' if dry_run else 'are'} published"
    work.log(f"{work.table.key}: {said}, {whole.failing.height:,} are refused still")
    if untraced:
        work.log(
            f"{work.table.key}: of {untraced:,} rows no step tells where they came from; only a rerun can heal them"
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
        self.places = self.waiting.select(PLACE)

    @property
    def silver(self) -> Silver:
        return self.work.table.landed.silver

    def done(self, dry_run: bool) -> Replayed:
        with tempfile.TemporaryDirectory(prefix="dq-replay-") as folder:
            passing, failing = self._judged(Path(folder))
            return self._published(passing, failing, dry_run)

    def _judged(self, folder: Path) -> tuple[pl.LazyFrame, pl.DataFrame]:
        """The rows that pass, as they will be published, with their places; and the others with their reasons."""
        landed = bronze(self.work.table, self.work.lake).scan()
        kept, refused = [], []
        for number, rows in enumerate(self._together_judged(landed)):
            files = folder / f"{number}.kept.parquet", folder / f"{number}.refused.parquet"
            self._judge(rows, *files)
            kept.append(pl.scan_parquet(files[0]))
            refused.append(pl.scan_parquet(files[1]))
        failing = pl.concat(refused).select(ID, SOURCE, ROW, REASONS).unique(ID, maintain_order=True).collect()
        passing = pl.concat(kept, how="diagonal_relaxed").join(failing.lazy(), on=ID, how="anti", maintain_order="left")
        return passing, failing

    def _together_judged(self, landed: pl.LazyFrame) -> Iterator[pl.LazyFrame]:
        """The landed rows to judge: the waiting ones alone where a row's verdict hangs on no other, else their batches."""
        if not _hangs_on_others(self.silver):
            yield landed.join(self.places.lazy(), on=PLACE, how="semi")
            return
        for batch in self.places[BATCH].unique(maintain_order=True):
            yield landed.filter(pl.col(BATCH) == batch)

    def _judge(self, rows: pl.LazyFrame, kept: Path, refused: Path) -> None:
        mended = pl.concat([corrections(self.work.quarantine), self._edited]).unique(PLACE, keep="last")
        rows = corrected(rows, mended)
        prepared = prepare(self.silver, rows)
        self._must_be_traced(prepared)
        scan = Scan(
            prepared.rows,
            _refusing(rules_of(self.silver, prepared)),
            lookup=lambda key: looked_up(self.work, key, prepared),
            hidden=prepared.hidden,
            misread=misread(self.silver, prepared),
        )

        def sinks(scan: Scan) -> list[pl.LazyFrame]:
            passing = scan.kept.join(self.places.lazy(), on=PLACE, how="semi", maintain_order="left")
            parts = [refused_rows(part, prepared.columns) for part in (scan.refused, *prepared.refused)]
            failing = pl.concat([*parts, unreadable_rows(rows, prepared.columns)])
            failing = failing.join(self.places.lazy(), on=PLACE, how="semi", maintain_order="left")
            wanted = passing.select(*prepared.columns, *PLACE, INGESTED_AT, identity().alias(ID))
            return [wanted.sink_parquet(kept, lazy=True), failing.sink_parquet(refused, lazy=True)]

        with broken(self.work.table.key, "to judge its refused rows again"):
            judgement = judge(scan, sinks)
        if wrong := next((result for result in judgement.results if result.error), None):
            raise RuleError(f"{self.work.table.key}: {wrong.rule.type} cannot be judged: {wrong.error}")

    @property
    def _edited(self) -> pl.DataFrame:
        return self.waiting.filter(pl.col(CORRECTION).is_not_null()).select(*PLACE, CORRECTION)

    def _must_be_traced(self, prepared: Prepared) -> None:
        there = prepared.rows.collect_schema()
        if missing := [name for name in (*PLACE, INGESTED_AT) if name not in there]:
            forgets = f"a step of {self.work.table.key} does not give on {', '.join(missing)}"
            raise RuleError(f"{forgets}, so that refused rows cannot be told apart: use mode: rerun, or let it")

    def _published(self, passing: pl.LazyFrame, failing: pl.DataFrame, dry_run: bool) -> Replayed:
        work = self.work
        passing = not_overtaken(work, passing)
        found = self._drift(passing)
        kept = work.stage(work.silver, self.batch)
        with staged(kept, claim=work.claim):
            collect_all([kept.sink(exactly(latest_of_keys(passing, self.silver), found.schema))])
            published = passing.select(ID).unique().sort(ID).collect()[ID].to_list()
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
            schema = about_to_be_published(passing, columns)
            return Drift("rebuild", (), schema, schema)
        values = passing.select(pl.col(columns).is_not_null().any()).collect().row(0, named=True)
        # Bronze has the columns of every batch: those that say nothing of these rows are none of theirs.
        own = [name for name in columns if name in before or values[name]]
        found = drift(before, about_to_be_published(passing, own), self.work.table.landed.evolution)
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
            pl.when(passed).then(pl.lit(self.batch)).alias(INTO),
            pl.when(passed).then(CORRECTION).otherwise(BEFORE).alias(CORRECTION),
        )


def not_overtaken(work: Work, passing: pl.LazyFrame) -> pl.LazyFrame:
    """The rows that still have their place in the table: none is to replace what has come and was published after it."""
    silver, landed = work.table.landed.silver, bronze(work.table, work.lake).scan()
    if silver.mode == "overwrite":
        # A snapshot takes the place of the one before, refused rows and all.
        return passing.filter(pl.col(INGESTED_AT) == landed.select(pl.col(INGESTED_AT).max()).collect().item())
    if silver.mode == "append":
        return passing
    published = [name.removeprefix("batch:") for name in transactions(work.silver) if name.startswith("batch:")]
    came = prepare(silver, landed.filter(pl.col(BATCH).is_in(published))).rows.select(*silver.keys, INGESTED_AT, *PLACE)
    still_open = refused_of(work).filter(pl.col(STATUS) == OPEN).select(PLACE)
    came = came.join(still_open, on=PLACE, how="anti")
    order = (INGESTED_AT, SOURCE, ROW)
    ours = passing.select(*silver.keys, ID, *(pl.col(name).alias(f"{name}\x00") for name in order))
    pairs = came.join(ours, on=silver.keys, how="inner")
    later, same = pl.lit(False), pl.lit(True)
    for name in order:
        later = later | (same & (pl.col(name) > pl.col(f"{name}\x00")))
        same = same & (pl.col(name) == pl.col(f"{name}\x00"))
    return passing.join(pairs.filter(later).select(ID), on=ID, how="anti", maintain_order="left")


def _refusing(rules: list[Rule]) -> list[Rule]:
    """The rules on rows that a row must meet to be published, each refusing the row alone."""
    return [
        rule.model_copy(update={"on_failure": "quarantine"}) if rule.action == "block" else rule
        for rule in rules
        if isinstance(rule, RowRule) and rule.action in ("block", "quarantine", "drop")
    ]


def _hangs_on_others(silver: Silver) -> bool:
    """Whether a row may be kept or refused for what other rows of its batch are."""
    rules = [rule for rule in silver.rules if isinstance(rule, RowRule)]
    beside = any(
        not isinstance(rule.aside(), Exists | ByText | None) or isinstance(rule, PythonFunction) for rule in rules
    )
    return beside or any(isinstance(step, (Deduplicate, *OPAQUE)) for step in silver.transform)
