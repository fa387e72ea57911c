"""The commits of a judged batch: quarantine, then silver, each saying what it consumed. Bronze's is in `ingest`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from dq_pipelines.errors import PublishError
from dq_pipelines.lake.publish import Mode, publish
from dq_pipelines.lake.schema_rewrite import Beside, rewriting
from dq_pipelines.lake.staging import Stage
from dq_pipelines.pipeline.runtime.outcome import Outcome, elapsed
from dq_pipelines.pipeline.runtime.progress import PUBLISH, QUARANTINE
from dq_pipelines.pipeline.runtime.table_run import Work, of_partition
from dq_pipelines.pipeline.runtime.verdict_recovery import verdict_of
from dq_pipelines.pipeline.silver.published_as import how_published


def commit(
    work: Work,
    outcome: Outcome,
    kept: Stage,
    refused: Stage,
    modes: tuple[Literal["append", "overwrite"], Mode],
    consumed: Mapping[str, int],
    before: Collection[str] | None = None,
    noted: Mapping[str, int] | None = None,
    beside: Beside | None = None,
) -> Outcome:
    """Commit quarantine, then silver, each in its mode; raises PublishError when rows do not add up.

    Nobody may have published of it to silver, nor to quarantine but for what stood there `before`; None where what
    was published is to be replaced. `noted` is what silver's ledger says besides, `beside` what becomes of silver's other partitions.
    """
    if not outcome.counts.accounted_for:
        raise PublishError(f"{outcome.table}: rows do not add up, nothing was published: {outcome.counts}")
    keys = work.table.landed.silver.keys
    with rewriting(kept, outcome.drift, modes[1], keys, beside=beside, claim=work.claim, log=work.log) as rewrite:
        work.progress.stage(QUARANTINE)
        work.may_commit()
        refused.tidy()
        news = () if before is None else consumed.keys() - before
        quarantined = publish(refused, modes[0], consumed, new_columns="add", once=news)
        work.progress.stage(PUBLISH)
        work.may_commit()
        kept.tidy()
        once = () if before is None else tuple(consumed)
        said = verdict_of(work, replace(outcome, seconds=elapsed(work.now)))
        published = publish(
            kept,
            modes[1],
            {**consumed, **(noted or {}), **how_published(work, modes[1])},
            keys=keys,
            new_columns="add",
            once=once,
            rewrite=rewrite,
            metadata=said,
        )
    counts = outcome.counts
    work.log(
        f"published {counts.published:,} of {counts.rows_in:,} rows to {outcome.table}{of_partition(work.partition)}, "
        f"{counts.refused:,} to quarantine"
    )
    return outcome.committed((quarantined, published), work.meter.lap())


def joint_id(batches: Sequence[str]) -> str:
    """The id of several bronze batches that are handled together."""
    if len(batches) == 1:
        return batches[0]
    return f"r-{hashlib.sha256(','.join(sorted(batches)).encode()).hexdigest()[:16]}"
