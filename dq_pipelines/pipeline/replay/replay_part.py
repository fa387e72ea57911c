"""The waiting rows of a table, or of one partition of it, replayed: judged again, staged, committed.

Which rows wait belongs in `replay`, how they are judged in `revalidation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.results.reasons import REASONS
from dq_pipelines.errors import PublishError
from dq_pipelines.history.store.records import VerdictRecord
from dq_pipelines.lake.ledger import consumption
from dq_pipelines.lake.publish import Mode, publish
from dq_pipelines.lake.schema_evolution import Drift, drift, exactly
from dq_pipelines.lake.schema_rewrite import rewriting
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.update import update
from dq_pipelines.pipeline.bronze.landed import INGESTED_AT
from dq_pipelines.pipeline.bronze.landing_schema import about_to_be_published, schema_of
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
    STATUS_NOTE,
)
from dq_pipelines.pipeline.replay.replayed import Replayed
from dq_pipelines.pipeline.replay.revalidation import Rejudgement, not_overtaken
from dq_pipelines.pipeline.runtime.outcome import Counts, elapsed
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.runtime.verdict_recovery import commit_metadata
from dq_pipelines.pipeline.silver.precedence import latest_of_keys
from dq_pipelines.pipeline.silver.remaining_rows import looked_up, staying_beside
from dq_pipelines.pipeline.silver.self_references import SelfReferences
from dq_pipelines.project import Silver

#: Beside a waiting row: what had been mended in it before, and why it is refused today.
BEFORE, _TODAY = "_correction_before", "_reasons_today"


@dataclass(frozen=True)
class ReplayPart:
    """Waiting rows of a table, or of one partition of it, that are replayed together."""

    run: TableRun
    #: the id of the replay
    batch: str
    #: quarantine rows, each once
    waiting: pl.DataFrame
    #: who replays them
    by: str

    @property
    def silver(self) -> Silver:
        return self.run.table.landed.silver


@dataclass(frozen=True)
class JudgedAgain:
    """Waiting rows by today's rules."""

    #: the rows that no rule refuses, with their places
    kept: pl.LazyFrame
    #: those of them that still have their place in the table
    passing: pl.LazyFrame
    #: the refused ones: `_id`, `_source`, `_row`, `_reasons`
    failing: pl.DataFrame


def judge_part(part: ReplayPart, folder: Path) -> JudgedAgain:
    """Judge the rows anew; what the judgement writes goes to the folder."""
    run, rejudgement = part.run, Rejudgement(part.run, part.waiting, folder)

    def judged_with(parents: pl.LazyFrame | None) -> JudgedAgain:
        kept, failing = rejudgement.judged(parents)
        return JudgedAgain(kept, not_overtaken(run, kept), failing)

    def published(judged: JudgedAgain) -> Sequence[pl.LazyFrame]:
        latest = latest_of_keys(judged.passing, part.silver)
        return [latest, *staying_beside(latest, run)]

    return SelfReferences.of(run.table.key, part.silver.rules).settled(
        judged_with,
        # None that fails now would pass with fewer parents. One that is overtaken may fail, and is refused still then.
        lambda judged: judged.kept,
        lambda: looked_up(run, run.table.key, rejudgement.prepared()),
        published,
    )


def drift_of_part(part: ReplayPart, passing: pl.LazyFrame) -> Drift:
    """How the rows differ from the table; raises PublishError for what its `schema` does not allow."""
    run, before = part.run, schema_of(part.run.silver)
    columns = [name for name in passing.collect_schema() if name not in (*PLACE, INGESTED_AT, ID)]
    if before is None:
        schema = about_to_be_published(passing, columns, run.silver)
        return Drift("rebuild", (), schema, schema)
    has_values = passing.select(pl.col(exact_names(columns)).is_not_null().any()).collect().row(0, named=True)
    # Bronze has the columns of every batch: those that say nothing of these rows are none of theirs.
    own = [name for name in columns if name in before or has_values[name]]
    difference = drift(before, about_to_be_published(passing, own, run.silver), run.table.landed.evolution)
    for change in difference.refused:
        kind = f"{change.kind} ({change.before or 'nothing'} to {change.after or 'nothing'})"
        allows = f"schema: {difference.policy} does not allow that: allow {change.wants}, or use mode: rerun"
        raise PublishError(f"{run.table.key}: column '{change.column}' is {kind}, and {allows}")
    return difference


def stage_part(part: ReplayPart, judged: JudgedAgain, difference: Drift, kept: Stage) -> Replayed:
    """Write the rows that will be published into the stage, and say what becomes of each waiting row."""
    latest = latest_of_keys(judged.passing, part.silver)
    collect_all([kept.sink(exactly(latest, difference.schema))])
    published = latest.select(ID).unique().sort(ID).collect()[ID].to_list()
    left_out = sorted(set(part.waiting[ID]) - set(published) - set(judged.failing[ID]))
    rows, failing = part.waiting.height, judged.failing.height
    counts = Counts(rows, kept.rows, failing, rows - kept.rows - failing)
    return Replayed(part.batch, counts, tuple(published), judged.failing, tuple(left_out))


def commit_part(part: ReplayPart, kept: Stage, difference: Drift, replayed: Replayed) -> Replayed:
    """Tell quarantine what becomes of the rows, then publish those that pass, in a commit that names the replay."""
    run, consumed = part.run, consumption([part.batch])
    mode: Mode = "merge" if part.silver.mode == "merge" else "append"
    changes, record = quarantine_changes(part, replayed), _record(part, replayed)
    changed, keys = difference if kept.rows else None, part.silver.keys
    with rewriting(kept, changed, mode, keys, claim=run.claim, log=run.log) as rewrite:
        if changes.height:
            run.may_commit()
            update(run.quarantine, changes, ID, consumed, by=part.by)
        if kept.rows:
            run.may_commit()
            kept.tidy()
            once = tuple(consumed)
            verdict = commit_metadata(record)
            publish(kept, mode, consumed, keys=keys, new_columns="add", once=once, rewrite=rewrite, metadata=verdict)
    return replace(replayed, records=(record,))


def _record(part: ReplayPart, replayed: Replayed) -> VerdictRecord:
    run, counts = part.run, replayed.counts
    return VerdictRecord(
        table=run.table.key,
        batch=part.batch,
        run_id=run.run_id,
        started_at=run.now,
        duration_seconds=elapsed(run.now),
        rows_in=counts.rows_in,
        published=counts.published,
        refused=counts.refused,
        dropped=counts.dropped,
        blocked=False,
        partition=run.partition,
    )


def quarantine_changes(part: ReplayPart, replayed: Replayed) -> pl.DataFrame:
    """What quarantine is to say of the rows from now on; only of those of which it changes."""
    ids = pl.col(ID)
    passed, left_out = ids.is_in(replayed.published), ids.is_in(replayed.left_out)
    mended = pl.when(pl.col(CORRECTION).is_null()).then(pl.lit(REPLAYED)).otherwise(pl.lit(FIXED))
    today = replayed.failing.select(ID, pl.col(REASONS).alias(_TODAY))
    changed = part.waiting.join(today, on=ID, how="left", maintain_order="left").filter(
        passed | left_out | pl.col(_TODAY).ne_missing(pl.col(REASONS))
    )
    decided = passed | left_out
    # A person has what they mended and what is wrong with it; quarantine goes on saying what landed.
    changed = changed.filter(decided | pl.col(CORRECTION).eq_missing(pl.col(BEFORE)))
    return changed.select(
        ID,
        pl.when(decided).then(REASONS).otherwise(_TODAY).alias(REASONS),
        pl.when(passed).then(mended).when(left_out).then(pl.lit(DISMISSED)).otherwise(pl.lit(OPEN)).alias(STATUS),
        pl.when(decided).then(pl.lit(part.run.now).dt.cast_time_unit("us")).otherwise(STATUS_AT).alias(STATUS_AT),
        pl.when(decided).then(pl.lit(part.by)).otherwise(STATUS_BY).alias(STATUS_BY),
        pl.when(~decided).then(STATUS_NOTE).alias(STATUS_NOTE),
        # What is left out for a row that this replay publishes is dismissed only once it does.
        pl.when(passed | (left_out & pl.lit(bool(replayed.published)))).then(pl.lit(part.batch)).alias(INTO),
        pl.when(passed).then(CORRECTION).otherwise(BEFORE).alias(CORRECTION),
    )
