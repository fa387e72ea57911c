"""Rerun: judge all of bronze (or of one partition) by today's YAML and replace what was published.

Each bronze batch is judged as the batch that it was, since rules on keys, counts and means are about a
batch; what they let through is then put together as it was when it first came, and replaces silver and
quarantine in one commit each. An input that landed several times counts in its latest version.

Both commits note when the rerun began. Where quarantine knows of a later one than silver, it was killed between the two,
and some rows are in both and others in neither until it is done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.errors import Overtaken, PublishError
from dq_pipelines.history.store.records import RERUN
from dq_pipelines.lake.ledger import consumption, losses_in, rerun_of, reruns_in, transactions
from dq_pipelines.lake.staging import Stage
from dq_pipelines.pipeline.bronze.batch import Batch
from dq_pipelines.pipeline.bronze.ingest import landed
from dq_pipelines.pipeline.bronze.landed import EPOCH, batches, bronze, counting, outdated
from dq_pipelines.pipeline.bronze.ledger_agreement import Disagreement, must_have_whole_logs
from dq_pipelines.pipeline.bronze.skipped_inputs import past_bad_inputs, try_again
from dq_pipelines.pipeline.quarantine.provenance import missing_order
from dq_pipelines.pipeline.runtime.outcome import Outcome
from dq_pipelines.pipeline.runtime.retry import with_retries
from dq_pipelines.pipeline.runtime.table_run import TableRun, staged, with_table_lock
from dq_pipelines.pipeline.silver.across_partitions import Across
from dq_pipelines.pipeline.silver.backlog import joint_id
from dq_pipelines.pipeline.silver.batch_plan import BatchPlan, plan_part_of_rerun, rerun_inputs
from dq_pipelines.pipeline.silver.commit import CommitRecord, commit
from dq_pipelines.pipeline.silver.joined_batches import joined
from dq_pipelines.pipeline.silver.judged_batch import BatchStages, stage_and_judge
from dq_pipelines.pipeline.silver.precedence import ARRIVAL
from dq_pipelines.pipeline.silver.remaining_rows import may_stay


@with_table_lock
@with_retries
def rerun(run: TableRun) -> Outcome | None:
    """Land what is new or stood aside, then do it all anew; None when bronze is empty.

    A batch that a rule blocks blocks the rerun: what was published stays as it is.
    """
    must_have_whole_logs(run)
    try_again(run)
    return _land_and_rebuild(run)


@with_table_lock
@with_retries
def caught_up(run: TableRun) -> Outcome | None:
    """Do reruns again that were killed before silver's commit; what came of that of the partition at hand, if any.

    One that a rule blocks by now leaves the table as it is.
    """
    last = None
    for broken_off in _broken_off(run):
        outcome = _land_and_rebuild(broken_off)
        if outcome is not None and outcome.blocked_by:
            run.log(f"{run.table.key}: the rerun is blocked by now, by {_blocking(outcome)}")
        if broken_off.partition in (None, run.partition):
            last = outcome
    return last


def must_be_whole(run: TableRun) -> None:
    """`caught_up` with what has landed, for one who works alone on the table; raises PublishError where a rule blocks it."""
    for broken_off in _broken_off(run):
        outcome = _rebuild(broken_off)
        if outcome is not None and outcome.blocked_by:
            why = f"a rerun was broken off, and doing it again is blocked by {_blocking(outcome)}"
            raise PublishError(f"{run.table.key}: {why}")


def _blocking(outcome: Outcome) -> str:
    return ", ".join(result.rule.type for result in outcome.blocked_by)


def _broken_off(run: TableRun) -> Iterator[TableRun]:
    """What each rerun had in hand that was killed between its commits, one after the other."""
    quarantine = transactions(run.quarantine)
    for partition in unfinished_reruns(quarantine, transactions(run.silver) if reruns_in(quarantine) else {}):
        which = f" of {partition}" if partition is not None else ""
        run.log(f"{run.table.key}: a rerun{which} was broken off between quarantine and silver; doing it again")
        yield replace(run, partition=partition)


def unfinished_reruns(quarantine: Mapping[str, int], silver: Mapping[str, int]) -> list[str | None]:
    """The partitions of which a rerun has written quarantine and not silver, by their ledgers; None for the whole table."""
    done = reruns_in(silver)
    of_all = done.get(None, -1)
    return [name for name, at in reruns_in(quarantine).items() if at > max(of_all, done.get(name, -1))]


def _begun(run: TableRun) -> dict[str, int]:
    """What both ledgers are to say of this rerun: later than any before, also where the clock was put back."""
    entries = [transactions(table) for table in (run.quarantine, run.silver)]
    before = [at for each in entries for at in (*reruns_in(each).values(), *losses_in(each).values())]
    now = (run.now - EPOCH) // timedelta(microseconds=1)
    return {rerun_of(run.partition): max([now, *(at + 1 for at in before)])}


@past_bad_inputs
def _land_and_rebuild(run: TableRun) -> Outcome | None:
    landings = list(_all_landed(run))
    outcome = _rebuild(run)
    if outcome is None:
        return None
    return replace(
        outcome,
        files=tuple(file for batch in landings for file in batch.files),
        passed_over=tuple(name for batch in landings for name in batch.passed_over),
        renamed=tuple(dict.fromkeys(rename for batch in landings for rename in batch.renamed)),
    )


def _all_landed(run: TableRun) -> Iterator[Batch]:
    """Land what is new, in as many batches as the limits of the table make of it."""
    while (batch := landed(run)) is not None:
        yield batch
        if not batch.waiting:
            return


@dataclass(frozen=True)
class RerunPlan:
    """Every bronze batch that counts, each as the batch that it was, and where they are put together."""

    run: TableRun
    #: the ids of all batches in bronze, those of which nothing counts among them
    batches: tuple[str, ...]
    #: those that are judged, oldest first, with the stages of each
    parts: tuple[tuple[BatchPlan, BatchStages], ...]
    kept: Stage
    refused: Stage
    #: `landed.first_landed`; empty where nothing is merged
    first: Mapping[str, int]

    @property
    def stages(self) -> list[Stage]:
        return [self.kept, self.refused, *(stage for _, stages in self.parts for stage in stages)]


@dataclass(frozen=True)
class _Rebuilt:
    """All batches judged and put together in the two stages."""

    outcome: Outcome
    across: Across
    #: the published rows that stay beside those of the rerun
    staying: Sequence[pl.LazyFrame]


def _rebuild(run: TableRun) -> Outcome | None:
    """Judge and publish whatever is in bronze."""
    plan = plan_rerun(run)
    if plan is None:
        return None
    with staged(*plan.stages, claim=run.claim):
        rebuilt = _judged(plan)
        return rebuilt.outcome if rebuilt.outcome.blocked_by else _commit(plan, rebuilt)


def plan_rerun(run: TableRun) -> RerunPlan | None:
    """A plan for each batch that counts; None when bronze is empty."""
    every = batches(run.table, run.lake, run.partition)
    if not every:
        return None
    inputs, counted = rerun_inputs(run), _in_order(run, every)
    plans = [
        plan_part_of_rerun(run, batch, replaced, inputs, note=f"batch {number} of {len(every)}")
        for number, (batch, replaced) in enumerate(counted, start=1)
    ]
    name = f"{joint_id(every)}{RERUN}"
    return RerunPlan(
        run,
        tuple(every),
        tuple((plan, BatchStages.of(plan)) for plan in plans),
        run.stage(run.silver, name),
        run.stage(run.quarantine, name),
        inputs.first,
    )


def _in_order(run: TableRun, every: Sequence[str]) -> list[tuple[str, frozenset[str]]]:
    """The batches that count, oldest first, each with the inputs of which a later batch has a later version."""
    table = bronze(run.table, run.lake)
    if run.table.landed.silver.mode == "overwrite":
        return [*outdated(table, every).items()][-1:]
    # One of which nothing counts is not judged: it has too few rows, whatever a rule wants. One is, for there must be a verdict.
    return [*counting(table, every).items()] or [*outdated(table, every).items()][-1:]


def _judged(plan: RerunPlan) -> _Rebuilt:
    """The batches judged and put together. Where rows refer to rows of the table, all batches are parents."""
    before = may_stay(plan.run, replaced=True)

    def judged_with(parents: pl.LazyFrame | None) -> _Rebuilt:
        judged = [stage_and_judge(replace(part, parents=parents), stages) for part, stages in plan.parts]
        outcome, across = joined(plan.run, judged, plan.kept, plan.refused, plan.first)
        return _Rebuilt(outcome, across, before if across.elsewhere is None else across.staying)

    def rows() -> pl.LazyFrame:
        prepared = [part.fitted.prepared for part, _ in plan.parts]
        return pl.concat([one.rows.select(exact_names(one.columns)) for one in prepared], how="diagonal_relaxed")

    references = plan.parts[0][0].references
    rebuilt = references.settled(
        judged_with,
        lambda _: rows(),
        lambda: pl.concat([rows(), *before], how="diagonal_relaxed"),
        lambda last: (plan.kept.scan(), *last.staying),
    )
    orphans = references.left_behind(plan.kept.scan(), rebuilt.staying)
    return replace(rebuilt, outcome=replace(rebuilt.outcome, orphans=orphans))


def _commit(plan: RerunPlan, rebuilt: _Rebuilt) -> Outcome:
    """Replace quarantine and silver; raises Overtaken where rows have landed meanwhile."""
    run = plan.run
    if set(batches(run.table, run.lake, run.partition)) != set(plan.batches):
        raise Overtaken(f"{run.table.key}: another run has landed rows meanwhile")
    consumed = {**Disagreement.of(run).taken_back(run), **consumption(plan.batches), **_begun(run)}
    if rebuilt.across.sentence:
        run.log(f"{run.table.key}: {rebuilt.across.sentence}")
    _, last = plan.parts[-1]
    if plan.first and (order_lost := missing_order(run.table.key, last.kept.schema, ARRIVAL)):
        run.log(order_lost)
    record = CommitRecord("overwrite", "overwrite", consumed)
    return commit(run, rebuilt.outcome, plan.kept, plan.refused, record, rebuilt.across.others)
