"""Rerun: judge all of bronze (or of one partition) by today's YAML and replace what was published.

Each bronze batch is judged as the batch that it was, since rules on keys, counts and means are about a
batch; what they let through is then put together as it was when it first came, and replaces silver and
quarantine in one commit each. An input that landed several times counts in its latest version.

Both commits note when the rerun began. Where quarantine knows of a later one than silver, it was killed between the two,
and some rows are in both and others in neither until it is done again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.judge import SOME
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.errors import Overtaken, PublishError
from dq_pipelines.history.store.records import RERUN
from dq_pipelines.lake.ledger import consumption, losses_in, rerun_of, reruns_in, transactions
from dq_pipelines.lake.schema_evolution import Drift, drift, exactly
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.pipeline.bronze.batch import Batch
from dq_pipelines.pipeline.bronze.ingest import landed
from dq_pipelines.pipeline.bronze.landed import batches, bronze, counting, first_landed, outdated
from dq_pipelines.pipeline.bronze.landing_schema import about_to_be_published, schema_of
from dq_pipelines.pipeline.bronze.ledger_agreement import Disagreement, must_have_whole_logs
from dq_pipelines.pipeline.bronze.skipped_inputs import past_bad_inputs, try_again
from dq_pipelines.pipeline.preparation.batch_schema import alike_by_values
from dq_pipelines.pipeline.quarantine.corrections import corrections
from dq_pipelines.pipeline.quarantine.provenance import order_forgotten
from dq_pipelines.pipeline.quarantine.quarantine_status import carried_over, dismissed
from dq_pipelines.pipeline.quarantine.refused_rows import FIXED, STATUS
from dq_pipelines.pipeline.runtime.batch_metrics import of_batches
from dq_pipelines.pipeline.runtime.outcome import Counts, Outcome, elapsed
from dq_pipelines.pipeline.runtime.retry import patiently
from dq_pipelines.pipeline.runtime.schema_check import drift_result
from dq_pipelines.pipeline.runtime.table_run import PREVIEW_ROWS, Work, alone, staged
from dq_pipelines.pipeline.silver.across_partitions import Across, settled
from dq_pipelines.pipeline.silver.commit import commit, joint_id
from dq_pipelines.pipeline.silver.precedence import ARRIVAL, in_order, last_of_keys
from dq_pipelines.pipeline.silver.rebuilt_types import with_todays_types
from dq_pipelines.pipeline.silver.refinement import Refinement
from dq_pipelines.pipeline.silver.remaining_rows import may_stay
from dq_pipelines.pipeline.silver.self_references import SelfReferences
from dq_pipelines.rules.core.on_rows import RowRule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@alone
@patiently
def rerun(work: Work) -> Outcome | None:
    """Land what is new or stood aside, then do it all anew; None when bronze is empty.

    A batch that a rule blocks blocks the rerun: what was published stays as it is.
    """
    must_have_whole_logs(work)
    try_again(work)
    return _rerun(work)


@alone
@patiently
def caught_up(work: Work) -> Outcome | None:
    """Do reruns again that were killed before silver's commit; what came of that of the partition at hand, if any.

    One that a rule blocks by now leaves the table as it is.
    """
    found = None
    for torn in _torn(work):
        outcome = _rerun(torn)
        if outcome is not None and outcome.blocked_by:
            work.log(f"{work.table.key}: the rerun is blocked by now, by {_blocking(outcome)}")
        if torn.partition in (None, work.partition):
            found = outcome
    return found


def must_be_whole(work: Work) -> None:
    """`caught_up` with what has landed, for one who works alone on the table; raises PublishError where a rule blocks it."""
    for torn in _torn(work):
        outcome = _anew(torn)
        if outcome is not None and outcome.blocked_by:
            said = f"a rerun was broken off, and doing it again is blocked by {_blocking(outcome)}"
            raise PublishError(f"{work.table.key}: {said}")


def _blocking(outcome: Outcome) -> str:
    return ", ".join(result.rule.type for result in outcome.blocked_by)


def _torn(work: Work) -> Iterator[Work]:
    """What each rerun had in hand that was killed between its commits, one after the other."""
    for partition in _broken_off(work):
        which = f" of {partition}" if partition is not None else ""
        work.log(f"{work.table.key}: a rerun{which} was broken off between quarantine and silver; doing it again")
        yield replace(work, partition=partition)


def _broken_off(work: Work) -> list[str | None]:
    """The partitions of which a rerun has written quarantine and not silver; None for the whole table."""
    begun = reruns_in(transactions(work.quarantine))
    if not begun:
        return []
    done = reruns_in(transactions(work.silver))
    of_all = done.get(None, -1)
    return [partition for partition, at in begun.items() if at > max(of_all, done.get(partition, -1))]


def _begun(work: Work) -> dict[str, int]:
    """What both ledgers are to say of this rerun: later than any before, also where the clock was put back."""
    entries = [transactions(table) for table in (work.quarantine, work.silver)]
    before = [at for each in entries for at in (*reruns_in(each).values(), *losses_in(each).values())]
    now = (work.now - _EPOCH) // timedelta(microseconds=1)
    return {rerun_of(work.partition): max([now, *(at + 1 for at in before)])}


@past_bad_inputs
def _rerun(work: Work) -> Outcome | None:
    came = list(_all_landed(work))
    outcome = _anew(work)
    if outcome is None:
        return None
    return replace(
        outcome,
        files=tuple(file for batch in came for file in batch.files),
        passed_over=tuple(name for batch in came for name in batch.passed_over),
        renamed=tuple(dict.fromkeys(rename for batch in came for rename in batch.renamed)),
    )


def _all_landed(work: Work) -> Iterator[Batch]:
    """Land what is new, in as many batches as the limits of the table make of it."""
    while (batch := landed(work)) is not None:
        yield batch
        if not batch.waiting:
            return


def _anew(work: Work) -> Outcome | None:
    """Judge and publish whatever is in bronze."""
    every = batches(work.table, work.lake, work.partition)
    if not every:
        return None
    mended, given_up = corrections(work.quarantine), dismissed(work)
    first = first_landed(bronze(work.table, work.lake)) if work.table.landed.silver.mode == "merge" else {}
    parts = [
        Refinement(
            work,
            landing=None,
            backlog=(batch,),
            superseded={batch: superseded},
            policy="rebuild",
            mended=mended,
            dismissed=given_up,
            note=f"batch {number} of {len(every)}",
            first=first,
        )
        for number, (batch, superseded) in enumerate(_in_order(work, every), start=1)
    ]
    name = f"{joint_id(every)}{RERUN}"
    kept, refused = work.stage(work.silver, name), work.stage(work.quarantine, name)
    with staged(kept, refused, *(stage for part in parts for stage in part.stages), claim=work.claim):
        outcome, across = _judged(work, parts, kept, refused)
        if outcome.blocked_by:
            return outcome
        if set(batches(work.table, work.lake, work.partition)) != set(every):
            raise Overtaken(f"{work.table.key}: another run has landed rows meanwhile")
        consumed = {**Disagreement.of(work).taken_back(work), **consumption(every), **_begun(work)}
        if across.sentence:
            work.log(f"{work.table.key}: {across.sentence}")
        if first and (said := order_forgotten(work.table.key, parts[-1].kept.schema, ARRIVAL)):
            work.log(said)
        return commit(work, outcome, kept, refused, ("overwrite", "overwrite"), consumed, beside=across.beside)


def _judged(work: Work, parts: Sequence[Refinement], kept: Stage, refused: Stage) -> tuple[Outcome, Across]:
    """The batches judged and put together in the two stages. Where rows refer to rows of the table, all batches are parents."""
    stays = may_stay(work, replaced=True)

    def judged_with(parents: pl.LazyFrame | None) -> tuple[Outcome, Across]:
        nonlocal stays
        for part in parts:
            part.parents = parents
        outcome, across = _together(work, [part.judged() for part in parts], parts, kept, refused)
        stays = stays if across.elsewhere is None else across.staying
        return outcome, across

    def rows() -> pl.LazyFrame:
        prepared = [part.prepared for part in parts]
        return pl.concat([one.rows.select(exact_names(one.columns)) for one in prepared], how="diagonal_relaxed")

    references = SelfReferences.of(work.table.key, work.table.landed.silver.rules)
    outcome, across = references.settled(
        judged_with,
        rows,
        lambda: pl.concat([rows(), *stays], how="diagonal_relaxed"),
        lambda: (kept.scan(), *stays),
    )
    return replace(outcome, orphans=references.left_behind(kept.scan(), stays)), across


def _in_order(work: Work, every: Sequence[str]) -> list[tuple[str, frozenset[str]]]:
    """The batches that count, oldest first, each with the inputs of which a later batch has a later version."""
    landed = bronze(work.table, work.lake)
    if work.table.landed.silver.mode == "overwrite":
        return [*outdated(landed, every).items()][-1:]
    # One of which nothing counts is not judged: it has too few rows, whatever a rule wants. One is, for there must be a verdict.
    return [*counting(landed, every).items()] or [*outdated(landed, every).items()][-1:]


def _together(
    work: Work, outcomes: Sequence[Outcome], parts: Sequence[Refinement], kept: Stage, refused: Stage
) -> tuple[Outcome, Across]:
    """The batches as one outcome, with their rows put together in the two stages, and what changes in other partitions."""
    rows = pl.concat([part.kept.scan() for part in parts], how="diagonal_relaxed").drop(PARTITION, strict=False)
    across, found = Across(rows), _drift(work, rows.drop(ARRIVAL, strict=False))
    if work.table.landed.silver.mode == "merge":
        # Batches stand in the order in which they came; where an input has come again, its rows tell when it came first.
        first = parts[0].first or {}
        traced = first and set(ARRIVAL) <= set(rows.collect_schema())
        last = last_of_keys(in_order(rows, first) if traced else rows, work.table.landed.silver)
        across = settled(work, last, {} if found is None else found.schema, first)
    quarantined = pl.concat([part.refused.scan() for part in parts], how="diagonal_relaxed")
    whole = [across.rows, quarantined.drop(PARTITION, strict=False)]
    if found is not None and work.partition is not None:
        # The other partitions stay: what is rebuilt here must fit beside them.
        whole[0] = exactly(whole[0], found.schema)
    collect_all([kept.sink(whole[0]), refused.sink(carried_over(whole[1], work))])
    judged = [[result for result in outcome.results if not result.rule.internal] for outcome in outcomes]
    together = replace(
        outcomes[-1],
        batch=kept.batch,
        results=(
            *(_summed(results) for results in zip(*judged, strict=True)),
            drift_result(found, work.table.landed.silver.columns),
        ),
        drift=found,
        counts=_counts([outcome.counts for outcome in outcomes], kept, refused),
        schema=dict(kept.schema),
        miscast=_added([outcome.miscast for outcome in outcomes]),
        preview=kept.scan().drop(PARTITION, strict=False).head(PREVIEW_ROWS).collect(),
        seconds=elapsed(work.now),
        replaces=True,
        metrics=of_batches([outcome.metrics for outcome in outcomes if outcome.metrics], kept, work.meter),
    )
    return together, across


def _drift(work: Work, rows: pl.LazyFrame) -> Drift | None:
    """How the rebuilt table differs from the one that stands; None where none does."""
    before = schema_of(work.silver)
    if before is None:
        return None
    after = about_to_be_published(rows, rows.collect_schema().names(), work.silver)
    found = drift(before, after, "rebuild", alike=alike_by_values(work.silver, [rows]))
    return with_todays_types(work, found, after)


def _summed(results: Sequence[RuleResult]) -> RuleResult:
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
