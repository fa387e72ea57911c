"""Helpers shared by the ops of jobs: their work on a table, their failures, and their schedules."""

# No `from __future__ import annotations` here: Dagster reads the context's annotation as it stands.
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dq_pipelines.lake.tables import Lake
from dq_pipelines.orchestration.steps.cancellation import unless_cancelled
from dq_pipelines.pipeline.runtime.missing_files import explain_error, tables_read
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project import Table


def work_on(context: dg.OpExecutionContext, table: Table, stores: Stores) -> TableRun:
    """Returns this run's work on a table. It commits nothing after the run was cancelled."""
    may_commit = unless_cancelled(context.instance, context.run_id, f"{table.key} stays as it is")
    return TableRun(table, stores.lake, may_commit=may_commit, log=context.log.info, run_id=context.run_id)


@contextmanager
def op_failures(lake: Lake | None = None, *tables: Table) -> Iterator[None]:
    """Raises `dg.Failure` without traceback or retry for errors of ours, and for damage in the lake's tables."""
    try:
        yield
    except BaseException as error:
        explained = explain_error(error, lake, [key for table in tables for key in tables_read(table)])
        if explained is None:
            raise
        raise dg.Failure(str(explained), allow_retries=False) from None


def clock(job: str, cron: str) -> dg.ScheduleDefinition:
    """Returns a schedule of a job in UTC, running by default."""
    return dg.ScheduleDefinition(
        f"{job}_schedule",
        cron_schedule=cron,
        job_name=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Runs {job} at {cron} (UTC)",
    )
