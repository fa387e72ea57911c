"""What ops that run beside the assets have in common: their work on a table, how they fail, and their clocks."""

# No `from __future__ import annotations` here: Dagster reads the context's annotation as it stands.
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dq_pipelines.lake.tables import Lake
from dq_pipelines.orchestration.steps.cancellation import unless_cancelled
from dq_pipelines.pipeline.runtime.missing_files import in_a_sentence, tables_read
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.pipeline.runtime.table_run import Work
from dq_pipelines.project import Table


def work_on(context: dg.OpExecutionContext, table: Table, stores: Stores) -> Work:
    """The table, as this run works on it: it commits nothing once it was cancelled."""
    may_commit = unless_cancelled(context.instance, context.run_id, f"{table.key} stays as it is")
    return Work(table, stores.lake, may_commit=may_commit, log=context.log.info, run_id=context.run_id)


@contextmanager
def told_in_a_sentence(lake: Lake | None = None, *tables: Table) -> Iterator[None]:
    """Say what dq_pipelines says on purpose as the op's failure, without a trace; to try again would change nothing.

    So it does of what the lake's damage explains, where the op works on tables of it.
    """
    try:
        yield
    except BaseException as error:
        said = in_a_sentence(error, lake, [key for table in tables for key in tables_read(table)])
        if said is None:
            raise
        raise dg.Failure(str(said), allow_retries=False) from None


def clock(job: str, cron: str) -> dg.ScheduleDefinition:
    """A schedule in UTC that runs unless somebody stops it."""
    return dg.ScheduleDefinition(
        f"{job}_schedule",
        cron_schedule=cron,
        job_name=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Runs {job} at {cron} (UTC)",
    )
