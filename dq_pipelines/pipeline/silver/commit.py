"""The commits of a judged batch, in their order: bronze, quarantine, silver. Each says what it consumed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from dq_pipelines.errors import PublishError
from dq_pipelines.lake.ledger import batches_in, snapshot_of, transactions
from dq_pipelines.lake.publish import Mode, delete_batches, publish
from dq_pipelines.lake.schema_rewrite import OtherPartitions, rewriting
from dq_pipelines.lake.staging import Stage
from dq_pipelines.pipeline.bronze.ingest import commit_bronze
from dq_pipelines.pipeline.bronze.landed import Landings, bronze
from dq_pipelines.pipeline.runtime.outcome import Outcome, elapsed
from dq_pipelines.pipeline.runtime.progress import LAND, PUBLISH, QUARANTINE
from dq_pipelines.pipeline.runtime.table_run import TableRun, of_partition
from dq_pipelines.pipeline.runtime.verdict_recovery import verdict_metadata
from dq_pipelines.pipeline.silver.judged_batch import JudgedBatch
from dq_pipelines.pipeline.silver.published_as import how_published


@dataclass(frozen=True)
class CommitRecord:
    """What the ledgers of quarantine and silver will say of a batch, and in which modes its rows are committed."""

    quarantine_mode: Literal["append", "overwrite"]
    silver_mode: Mode
    #: an entry for each bronze batch that is consumed
    consumed: Mapping[str, int]
    #: the names of quarantine's entries before; None where the commits replace what was published
    before: Collection[str] | None = None
    #: what silver's ledger says besides
    noted: Mapping[str, int] = field(default_factory=dict)

    @property
    def left_behind(self) -> list[str]:
        """The bronze batches of which quarantine has rows already: a run was killed between the two commits."""
        return batches_in(name for name in self.consumed if name in (self.before or ()))

    @property
    def first_in_quarantine(self) -> tuple[str, ...]:
        """The entries that nobody else may have written to quarantine."""
        return () if self.before is None else tuple(name for name in self.consumed if name not in self.before)

    @property
    def first_in_silver(self) -> tuple[str, ...]:
        """The entries that nobody else may have written to silver."""
        return () if self.before is None else tuple(self.consumed)


def record_of(
    mode: Mode,
    consumed: Mapping[str, int],
    before: Collection[str],
    landed_at: Mapping[str, int],
    partition: str | None = None,
) -> CommitRecord:
    """What the commits of a batch record whose table has this mode.

    `before` are the names of quarantine's entries. `landed_at` are moments by bronze batch, as far as bronze has noted them:
    of a batch that replaces all before it, silver notes when it landed.
    """
    moments = [landed_at[batch] for batch in batches_in(consumed) if batch in landed_at]
    noted = {snapshot_of(partition): max(moments)} if mode == "overwrite" and moments else {}
    return CommitRecord("append", mode, consumed, before, noted)


def commit_batch(judged: JudgedBatch) -> Outcome:
    """Commit what has landed, and unless a rule blocks it, what is refused and what is published.

    Raises PublishError where the lake refuses, and has then published nothing to silver; Overtaken where another run was
    quicker.
    """
    _land(judged)
    return judged.outcome if judged.outcome.blocked_by else _publish(judged)


def _land(judged: JudgedBatch) -> None:
    plan, stage = judged.plan, judged.stages.bronze
    if plan.landing is None or stage is None or plan.unlandable:
        return
    plan.run.progress.stage(LAND, stage.rows, "commit")
    commit_bronze(plan.run, plan.landing, stage, plan.landing_drift)


def _publish(judged: JudgedBatch) -> Outcome:
    plan, stages, run = judged.plan, judged.stages, judged.plan.run
    landed_at = Landings.of(bronze(run.table, run.lake)).batches if plan.silver.mode == "overwrite" else {}
    record = record_of(plan.silver.mode, plan.consumed, transactions(run.quarantine), landed_at, run.partition)
    delete_batches(stages.refused, record.left_behind)
    return commit(run, judged.outcome, stages.kept, stages.refused, record)


def commit(
    run: TableRun,
    outcome: Outcome,
    kept: Stage,
    refused: Stage,
    record: CommitRecord,
    others: OtherPartitions | None = None,
) -> Outcome:
    """Commit quarantine, then silver; `others` is what becomes of silver's other partitions.

    Raises PublishError when rows do not add up, and where the lake refuses.
    """
    if not outcome.counts.accounted_for:
        raise PublishError(f"{outcome.table}: rows do not add up, nothing was published: {outcome.counts}")
    keys, mode = run.table.landed.silver.keys, record.silver_mode
    with rewriting(kept, outcome.drift, mode, keys, others=others, claim=run.claim, log=run.log) as rewrite:
        run.progress.stage(QUARANTINE)
        run.may_commit()
        refused.tidy()
        quarantined = publish(
            refused, record.quarantine_mode, record.consumed, new_columns="add", once=record.first_in_quarantine
        )
        run.progress.stage(PUBLISH)
        run.may_commit()
        kept.tidy()
        published = publish(
            kept,
            mode,
            {**record.consumed, **record.noted, **how_published(run, mode)},
            keys=keys,
            new_columns="add",
            once=record.first_in_silver,
            rewrite=rewrite,
            metadata=verdict_metadata(run, replace(outcome, seconds=elapsed(run.now))),
        )
    _log_published(run, outcome)
    return outcome.committed((quarantined, published), run.meter.lap())


def _log_published(run: TableRun, outcome: Outcome) -> None:
    counts = outcome.counts
    run.log(
        f"published {counts.published:,} of {counts.rows_in:,} rows to {outcome.table}{of_partition(run.partition)}, "
        f"{counts.refused:,} to quarantine"
    )
