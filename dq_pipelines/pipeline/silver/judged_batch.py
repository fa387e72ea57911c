"""A batch staged and judged by its plan: its rows lie in files that nobody sees, and its outcome is known.

Nothing is committed here: that belongs in `commit`. What was planned is not changed; only the stages are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.engine.backends.base import StagingScan
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.judge import Judgement, judge
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.lake.staging import Stage
from dq_pipelines.pipeline.bronze.batch import UNREADABLE, Batch
from dq_pipelines.pipeline.bronze.landed import bronze, rows_of
from dq_pipelines.pipeline.preparation.passthrough import landed_again
from dq_pipelines.pipeline.preparation.preparation import may_drop
from dq_pipelines.pipeline.quarantine.refused_rows import miscast_by_column, refused_rows, unreadable_rows
from dq_pipelines.pipeline.runtime.batch_metrics import MetricsCollector
from dq_pipelines.pipeline.runtime.orphans import Orphans
from dq_pipelines.pipeline.runtime.outcome import Counts, Outcome, elapsed
from dq_pipelines.pipeline.runtime.progress import JUDGE, LAND
from dq_pipelines.pipeline.runtime.schema_check import drift_result
from dq_pipelines.pipeline.runtime.table_run import PREVIEW_ROWS, over_all_partitions, reading
from dq_pipelines.pipeline.silver.batch_plan import BatchPlan, Strategy
from dq_pipelines.pipeline.silver.remaining_rows import looked_up, staying_beside
from dq_pipelines.sources import ROW


@dataclass(frozen=True)
class BatchStages:
    """Where the rows of a batch are written before any commit names them."""

    kept: Stage
    refused: Stage
    #: None where nothing lands
    bronze: Stage | None = None

    @classmethod
    def of(cls, plan: BatchPlan) -> BatchStages:
        run, batch = plan.run, plan.batch
        landing = run.stage(bronze(run.table, run.lake), batch) if plan.landing else None
        return cls(run.stage(run.silver, batch), run.stage(run.quarantine, batch), landing)

    def __iter__(self) -> Iterator[Stage]:
        return (stage for stage in (self.bronze, self.kept, self.refused) if stage is not None)


@dataclass(frozen=True)
class JudgedBatch:
    """A batch whose rows are staged, and what the rules said of them."""

    #: the plan, reading its rows from where they are now
    plan: BatchPlan
    stages: BatchStages
    outcome: Outcome


@dataclass(frozen=True)
class _Pass:
    """One judgement of the rows, by the plan that reads what it has staged."""

    plan: BatchPlan
    judgement: Judgement


def stage_and_judge(plan: BatchPlan, stages: BatchStages) -> JudgedBatch:
    """Write the rows of the batch into its stages, and judge them; no commit is made.

    Raises SourceError or RuleError where the rows cannot be read or judged, PublishError where the lake takes no more.
    """
    landing_seconds = None
    if plan.strategy is Strategy.STAGED_FIRST and plan.landing and stages.bronze:
        _stage_landing(plan, plan.landing, stages.bronze)
        landing_seconds = plan.run.meter.lap()
        plan = plan.reading(stages.bronze.scan())
    plan.run.progress.stage(JUDGE, _expected_rows(plan, stages), plan.note)
    if order_lost := plan.replacing.order_lost(plan.fitted.prepared.rows.collect_schema()):
        plan.run.log(order_lost)
    measured = MetricsCollector(plan.run.table)
    last = _with_its_parents(plan, stages, measured)
    outcome = _outcome(last, stages)
    written_at = plan.landing.written_at if plan.landing else None
    metrics = measured.batch(last.judgement, stages.kept, plan.run, landing_seconds, written_at)
    return JudgedBatch(last.plan, stages, replace(outcome, metrics=metrics))


# --- the passes over the rows ------------------------------------------------------------------------


def _stage_landing(plan: BatchPlan, landing: Batch, stage: Stage) -> None:
    """Write the rows of the inputs for bronze, to be judged from these files.

    Not from a cache node between bronze and the judge: it would hold most of the batch, 2.3 GB of 6 million rows, since
    nothing stops a reader that is quicker than the sinks. This costs 5 % more CPU.
    """
    plan.run.progress.stage(LAND, landing.about)
    rows = plan.run.progress.through(landing.rows, ROW)
    with reading(plan.run, "to read its inputs"):
        collect_all([stage.sink(rows)])


def _with_its_parents(plan: BatchPlan, stages: BatchStages, measured: MetricsCollector) -> _Pass:
    """Judge the rows, in rounds where rules look into the table itself."""
    if plan.is_part_of_rerun:  # a rerun knows the parents, for it looks at all batches together
        return _judged(plan, stages, measured)
    return plan.references.settled(
        lambda parents: _judged(replace(plan, parents=parents), stages, measured),
        lambda last: last.plan.fitted.prepared.rows,
        lambda: looked_up(plan.run, plan.run.table.key, plan.fitted.prepared),
        lambda _: (stages.kept.scan(), *staying_beside(stages.kept.scan(), plan.run)),
    )


def _judged(plan: BatchPlan, stages: BatchStages, measured: MetricsCollector) -> _Pass:
    """Judge the rows and stage what was kept and refused; in one pass, what has landed as well."""
    if plan.strategy is Strategy.ONE_PASS and plan.landing and stages.bronze:
        return _judged_in_one_pass(plan, plan.landing, stages.bronze, stages, measured)

    def sinks(scan: StagingScan) -> list[pl.LazyFrame]:
        return _sinks(plan, stages, scan, plan.fitted.bronze)

    with reading(plan.run, "to read and judge its rows"):
        return _Pass(plan, judge(plan.scan(), sinks, measured, observer=plan.run.progress))


def _judged_in_one_pass(
    plan: BatchPlan, landing: Batch, bronze_stage: Stage, stages: BatchStages, measured: MetricsCollector
) -> _Pass:
    """Read the inputs once, for bronze and for the judge; where rows are read again, bronze's staged files are."""
    source, staged = plan.reading(landing.records), cache(lambda: plan.reading(bronze_stage.scan()))
    first = source.scan()

    def sinks(scan: StagingScan) -> list[pl.LazyFrame]:
        if scan.frame is not first.frame:
            return _sinks(staged(), stages, scan, staged().fitted.bronze)
        unread = landing.lines.cache()
        every = pl.concat([landed_again(scan.marked), unread])
        return [bronze_stage.sink(every), *_sinks(source, stages, scan, unread)]

    with reading(plan.run, "to read and judge its rows"):
        judgement = judge(
            first, sinks, measured, again=lambda: staged().fitted.prepared.rows, observer=plan.run.progress
        )
    return _Pass(staged(), judgement)


def _sinks(plan: BatchPlan, stages: BatchStages, scan: StagingScan, landed: pl.LazyFrame) -> list[pl.LazyFrame]:
    """The kept and the refused rows on their way into the stages; lines that nobody could read are among `landed` rows."""
    columns = plan.fitted.columns
    refused = [refused_rows(rows, columns) for rows in (scan.refused, *plan.fitted.prepared.refused)]
    quarantined = pl.concat([*refused, unreadable_rows(landed, columns)])
    kept = plan.replacing.rows(scan.kept)
    published = exact_names([*columns, *plan.replacing.arrival(kept)])
    return [stages.kept.sink(kept.select(published)), stages.refused.sink(quarantined)]


def _expected_rows(plan: BatchPlan, stages: BatchStages) -> int | None:
    """How many rows are to be judged, about; None where only a read would tell."""
    run, landing = plan.run, plan.landing
    if landing is None:
        return rows_of(bronze(run.table, run.lake), plan.backlog.batches) if run.partition is None else None
    if plan.backlog.batches:
        return None
    return landing.about if plan.strategy is Strategy.ONE_PASS or stages.bronze is None else stages.bronze.rows


# --- the outcome -------------------------------------------------------------------------------------


def _outcome(last: _Pass, stages: BatchStages) -> Outcome:
    plan, run, landing = last.plan, last.plan.run, last.plan.landing
    return Outcome(
        table=run.table.key,
        batch=plan.batch,
        results=(*last.judgement.results, *_schema_results(plan, stages)),
        counts=_counts(last, stages),
        started_at=run.now,
        partition=run.partition,
        drift=plan.fitted.drift,
        sources=tuple(item.uri for item in landing.inputs) if landing else (),
        files=landing.files if landing else (),
        passed_over=landing.passed_over if landing else (),
        renamed=landing.renamed if landing else (),
        schema=dict(stages.kept.schema),
        miscast=miscast_by_column(stages.refused.scan()),
        preview=stages.kept.scan().select(exact_names(plan.fitted.columns)).head(PREVIEW_ROWS).collect(),
        seconds=elapsed(run.now),
        replaces=plan.silver.mode == "overwrite",
        orphans=_orphans(plan, stages),
    )


def _schema_results(plan: BatchPlan, stages: BatchStages) -> Sequence[RuleResult]:
    """What is reported of the columns; of a part of a rerun nothing, since it is reported of the whole."""
    if plan.is_part_of_rerun:
        return ()
    # Whether a column has another name now is also shown by what was just staged; it decides nothing.
    rows = [stages.kept.scan(), stages.refused.scan()]
    drift = plan.fitted.compared_by_values(plan.run.silver, rows)
    return (
        drift_result(drift, plan.fitted.table.silver.columns, plan.unlandable, over_all_partitions(plan.run.table)),
    )


def _counts(last: _Pass, stages: BatchStages) -> Counts:
    plan, judgement = last.plan, last.judgement
    rows_in = plan.fitted.bronze.select(pl.len()).collect(engine="streaming").item()
    unreadable = plan.fitted.bronze.filter(pl.col(UNREADABLE).is_not_null()).select(pl.len()).collect().item()
    split_off = stages.refused.rows - judgement.refused - unreadable
    is_replaced = not plan.replacing.keys_are_judged or plan.silver.order_by is not None
    records = plan.landing.records_in_files if plan.landing else None
    return Counts(
        rows_in=rows_in,
        published=stages.kept.rows,
        refused=stages.refused.rows,
        dropped_by_rules=judgement.dropped,
        dropped_by_transform=rows_in - unreadable - split_off - judgement.rows if may_drop(plan.silver) else 0,
        superseded=judgement.kept - stages.kept.rows if is_replaced else 0,
        unreadable=unreadable,
        missing_from_files=records - stages.bronze.rows if records is not None and stages.bronze else 0,
    )


def _orphans(plan: BatchPlan, stages: BatchStages) -> Orphans:
    """Rows that stay, and whose parents the batch takes away; a rerun looks at all batches together."""
    references = plan.references
    if plan.is_part_of_rerun or not references.may_lose_parents(plan.silver.mode, plan.silver.keys):
        return Orphans()
    kept = stages.kept.scan()
    return references.left_behind(kept, staying_beside(kept, plan.run))
