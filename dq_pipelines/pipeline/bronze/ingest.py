"""Lands new inputs in bronze: reads them as one batch and commits it."""

from __future__ import annotations

from dataclasses import replace

from dq_pipelines.config.counting import counted
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.formats.snapshot import Snapshot
from dq_pipelines.lake.publish import Publication, publish
from dq_pipelines.lake.schema_evolution import Drift
from dq_pipelines.lake.schema_rewrite import rewriting
from dq_pipelines.lake.staging import Stage
from dq_pipelines.pipeline.bronze.batch import Batch, batch_of
from dq_pipelines.pipeline.bronze.input_identity import Consumed
from dq_pipelines.pipeline.bronze.landed import after_all, bronze
from dq_pipelines.pipeline.bronze.landing_schema import as_bronze, landing_drift, schema_of
from dq_pipelines.pipeline.bronze.ledger_agreement import must_agree
from dq_pipelines.pipeline.bronze.new_inputs import compared, taken
from dq_pipelines.pipeline.bronze.skipped_inputs import past_bad_inputs
from dq_pipelines.pipeline.runtime.progress import LAND, READ
from dq_pipelines.pipeline.runtime.retry import with_retries
from dq_pipelines.pipeline.runtime.schema_check import drift_result
from dq_pipelines.pipeline.runtime.table_run import TableRun, of_partition, reading, staged, with_table_lock
from dq_pipelines.sources import ROW

#: Renamed columns in the log; the materialization has all.
_MOST_LOGGED = 20


@with_table_lock
@with_retries
@past_bad_inputs
def land(work: TableRun) -> Batch | None:
    """Land new inputs in bronze alone; None when nothing is new. Raises SourceError or PublishError."""
    return landed(work, must_agree(work).bronze)


def landed(work: TableRun, before: Snapshot | None = None) -> Batch | None:
    """`land`, for a caller that holds the table's lock; `before` is bronze as it was looked at."""
    before = before or bronze(work.table, work.lake).snapshot()
    batch = arrived(work, before)
    if batch is None:
        return None
    stage = work.stage(bronze(work.table, work.lake), batch.id)
    drift = landing_drift(work, batch.rows, schema_of(before))
    if drift is not None and drift.refused:
        why = drift_result(None, work.table.landed.silver.columns, drift.refused).error
        raise PublishError(f"bronze/{work.table.name}: nothing landed: {why}")
    with staged(stage, claim=work.claim), reading(work, "to read its inputs"):
        work.progress.stage(LAND, batch.about)
        collect_all([stage.sink(work.progress.through(as_bronze(batch.rows, drift), ROW))])
        commit_bronze(work, batch, stage, drift)
    return batch


def arrived(work: TableRun, landed: Snapshot | None = None) -> Batch | None:
    """The new inputs of the source, or the oldest of them, as one batch; None when nothing is new. `landed` is bronze as it was looked at."""
    work.progress.stage(READ)
    landed = landed or bronze(work.table, work.lake).snapshot()
    comparison = compared(work.table, work.lake, work.partition, landed=landed)
    new, inputs = comparison.new, taken(work.table, comparison.new)
    if not inputs:
        return None
    waiting = len(new) - len(inputs)
    if waiting:
        work.log(f"{landed.key}: takes the {len(inputs):,} oldest of {len(new):,} new inputs; {waiting:,} wait")
    entries = landed.ledger
    versions = Consumed.of(entries).versions(comparison.retimed)
    batch = batch_of(work.table, inputs, after_all(landed, work.now), landed)
    retimed = {name: number for name, number in versions.items() if entries.get(name) != number}
    return replace(batch, waiting=waiting, retimed=retimed)


def commit_bronze(work: TableRun, batch: Batch, stage: Stage, drift: Drift | None) -> Publication:
    """Commit the staged rows of a batch with the ledger's entries for its inputs.

    `drift` is what bronze has to become for them, as `landing_drift` says. Raises Transient where an input has changed since
    it was listed, SourceError where rows are missing, PublishError or Overtaken where the commit fails.
    """
    batch.must_be_unchanged()
    batch.must_be_complete(stage.rows)
    work.may_commit()
    stage.tidy()
    with rewriting(stage, drift, "append", claim=work.claim, log=work.log) as rewrite:
        publication = publish(
            stage,
            "append",
            {**batch.retimed, **batch.consumed},
            new_columns="add",
            once=batch.input_names,
            rewrite=rewrite,
        )
    if batch.renamed:
        renamed = [f"'{landed}' as '{name}'" for landed, name in batch.renamed[:_MOST_LOGGED]]
        more = f" and {len(batch.renamed) - _MOST_LOGGED} more" if len(batch.renamed) > _MOST_LOGGED else ""
        work.log(f"{publication.key}: columns landed under another name: {', '.join(renamed)}{more}")
    rows, inputs = counted(publication.rows, "row"), counted(len(batch.inputs), "input")
    work.log(f"landed {rows} of {inputs} in {publication.key}{of_partition(work.partition)}")
    return publication
