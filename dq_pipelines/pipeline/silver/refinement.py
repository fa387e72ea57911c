"""Write, audit, publish: one batch of a table is planned, staged and judged, then committed or blocked.

The order of commits is bronze, quarantine, silver; each records what it consumed in the same commit
as its rows. A run killed in between is repeated by the next one without loss or duplicate.
"""

from __future__ import annotations

from dq_pipelines.pipeline.bronze.skipped_inputs import past_bad_inputs
from dq_pipelines.pipeline.runtime.outcome import Outcome
from dq_pipelines.pipeline.runtime.retry import with_retries
from dq_pipelines.pipeline.runtime.table_run import TableRun, staged, with_table_lock
from dq_pipelines.pipeline.silver.batch_plan import plan_batch
from dq_pipelines.pipeline.silver.commit import commit_batch
from dq_pipelines.pipeline.silver.judged_batch import BatchStages, stage_and_judge


@with_table_lock
@with_retries
@past_bad_inputs
def refine(run: TableRun) -> Outcome | None:
    """Land what is new, judge everything that silver has not consumed, and publish it or block it.

    None when there is nothing to judge. Raises SourceError, RuleError or PublishError, and has then
    published nothing to silver.
    """
    plan = plan_batch(run)
    if plan is None:
        return None
    stages = BatchStages.of(plan)
    with staged(*stages, claim=run.claim):
        return commit_batch(stage_and_judge(plan, stages))
