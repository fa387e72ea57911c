"""The batches of a rerun put together: their rows in two stages, their verdicts in one outcome.

How each of them is judged belongs in `judged_batch`, what becomes of them in `rerun`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.judge import SOME
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.lake.schema_evolution import Drift, drift, exactly
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.pipeline.bronze.landing_schema import about_to_be_published, schema_of
from dq_pipelines.pipeline.preparation.batch_schema import alike_by_values
from dq_pipelines.pipeline.quarantine.quarantine_status import carried_over
from dq_pipelines.pipeline.quarantine.refused_rows import FIXED, STATUS
from dq_pipelines.pipeline.runtime.batch_metrics import combined_metrics
from dq_pipelines.pipeline.runtime.outcome import Counts, Outcome, elapsed
from dq_pipelines.pipeline.runtime.schema_check import drift_result
from dq_pipelines.pipeline.runtime.table_run import PREVIEW_ROWS, TableRun
from dq_pipelines.pipeline.silver.across_partitions import Across, settled
from dq_pipelines.pipeline.silver.judged_batch import JudgedBatch
from dq_pipelines.pipeline.silver.precedence import ARRIVAL, in_order, last_of_keys
from dq_pipelines.pipeline.silver.rebuilt_types import with_todays_types
from dq_pipelines.rules.core.on_rows import RowRule


def joined(
    run: TableRun, judged: Sequence[JudgedBatch], kept: Stage, refused: Stage, first: Mapping[str, int]
) -> tuple[Outcome, Across]:
    """The batches as one outcome, with their rows put together in the two stages, and what changes in other partitions."""
    rows = pl.concat([one.stages.kept.scan() for one in judged], how="diagonal_relaxed").drop(PARTITION, strict=False)
    difference = _drift(run, rows.drop(ARRIVAL, strict=False))
    across = _counting_rows(run, rows, difference, first)
    quarantined = pl.concat([one.stages.refused.scan() for one in judged], how="diagonal_relaxed")
    published = across.rows
    if difference is not None and run.partition is not None:
        # The other partitions stay: what is rebuilt here must fit beside them.
        published = exactly(published, difference.schema)
    collect_all([kept.sink(published), refused.sink(carried_over(quarantined.drop(PARTITION, strict=False), run))])
    return _one_outcome(run, [one.outcome for one in judged], difference, kept, refused), across


def _counting_rows(run: TableRun, rows: pl.LazyFrame, difference: Drift | None, first: Mapping[str, int]) -> Across:
    """The rows that count: of a merged table one of each key, over all partitions."""
    silver = run.table.landed.silver
    if silver.mode != "merge":
        return Across(rows)
    # Batches stand in the order in which they came; where an input has come again, its rows say when it came first.
    traced = first and set(ARRIVAL) <= set(rows.collect_schema())
    last = last_of_keys(in_order(rows, first) if traced else rows, silver)
    return settled(run, last, {} if difference is None else difference.schema, first)


def _one_outcome(
    run: TableRun, outcomes: Sequence[Outcome], difference: Drift | None, kept: Stage, refused: Stage
) -> Outcome:
    by_batch = [[result for result in outcome.results if not result.rule.internal] for outcome in outcomes]
    return replace(
        outcomes[-1],
        batch=kept.batch,
        results=(
            *(summed(results) for results in zip(*by_batch, strict=True)),
            drift_result(difference, run.table.landed.silver.columns),
        ),
        drift=difference,
        counts=_counts([outcome.counts for outcome in outcomes], kept, refused),
        schema=dict(kept.schema),
        miscast=_added([outcome.miscast for outcome in outcomes]),
        preview=kept.scan().drop(PARTITION, strict=False).head(PREVIEW_ROWS).collect(),
        seconds=elapsed(run.now),
        replaces=True,
        metrics=combined_metrics([outcome.metrics for outcome in outcomes if outcome.metrics], kept, run.meter),
    )


def _drift(run: TableRun, rows: pl.LazyFrame) -> Drift | None:
    """How the rebuilt table differs from the one that stands; None where none does."""
    before = schema_of(run.silver)
    if before is None:
        return None
    after = about_to_be_published(rows, rows.collect_schema().names(), run.silver)
    difference = drift(before, after, "rebuild", alike=alike_by_values(run.silver, [rows]))
    return with_todays_types(run, difference, after)


def summed(results: Sequence[RuleResult]) -> RuleResult:
    """One rule's results of several batches: counts add up; else the last batch's, or the one that blocks."""
    telling = next((result for result in results if result.blocks), results[-1])
    rule = telling.rule
    if telling.blocks or not isinstance(rule, RowRule):
        return telling
    elements, missing, unexpected = (
        sum(getattr(result, count) or 0 for result in results)
        for count in ("element_count", "missing_count", "unexpected_count")
    )
    rows = tuple(row for result in results for row in result.unexpected_rows)[: SOME.most]
    success = rule.tolerates(unexpected, elements - missing)
    return RuleResult(rule, success, elements, missing, unexpected, unexpected_rows=rows)


def _counts(counts: Sequence[Counts], kept: Stage, refused: Stage) -> Counts:
    total = sum(counts, start=Counts())
    # Of dismissed rows that a step leaves out, quarantine says still that they were dismissed.
    fixed = refused.scan().filter(pl.col(STATUS) == FIXED).select(pl.len()).collect().item()
    left_out = refused.rows - fixed - total.refused
    return replace(
        total,
        published=kept.rows,
        refused=total.refused + left_out,
        dropped_by_transform=total.dropped_by_transform - left_out,
        superseded=total.superseded + total.published - kept.rows,
    )


def _added(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)
