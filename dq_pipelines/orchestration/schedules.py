"""Schedules: tables that run by the clock. What runs belongs in `pipeline`."""

from __future__ import annotations

import dagster as dg

from dq_pipelines.errors import DqError
from dq_pipelines.orchestration.jobs.selections import assets_of
from dq_pipelines.orchestration.runs.run_partition import has_partitions
from dq_pipelines.orchestration.runs.run_queue import WAITING, queue_tags, run_under_way
from dq_pipelines.orchestration.sensors.arrivals import Arrivals
from dq_pipelines.orchestration.sensors.unreachable_sources import note
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project, Table


def schedules(project: Project, stores: Stores) -> list[dg.ScheduleDefinition]:
    """One schedule per table with `schedule`."""
    return [_schedule(table, table.model.schedule, stores) for table in project if table.model.schedule is not None]


def _schedule(table: Table, cron: str, stores: Stores) -> dg.ScheduleDefinition:
    by_partition, zone = has_partitions(table), table.model.timezone

    @dg.schedule(
        name=f"{table.name}_schedule",
        cron_schedule=cron,
        execution_timezone=zone,
        target=assets_of(table),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Runs {table.name} at {cron} ({zone})",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        if by_partition:
            return _of_partitions(context, table, stores)
        # One that has started may have missed what came since; one that waits has not looked yet.
        if (run := run_under_way(context.instance, table, statuses=WAITING)) is not None:
            return dg.SkipReason(f"{table.key}: run {run.run_id} waits in the queue already")
        return [dg.RunRequest(tags=queue_tags([table.name]))]

    return schedule


def _of_partitions(
    context: dg.ScheduleEvaluationContext, table: Table, stores: Stores
) -> list[dg.RunRequest] | dg.SkipReason:
    """A run for each partition with something new."""
    try:
        arrived = Arrivals.of(table, stores.lake)
    except DqError as error:
        note(stores, table, str(error))  # a tick is a run that was planned: it is missed at once
        return dg.SkipReason(str(error))
    note(stores, table, None)
    if arrived.unassigned:
        context.log.warning("%s: %s", table.key, arrived.unassigned)
    if new := arrived.new_partitions(context.instance):
        context.instance.add_dynamic_partitions(f"{table.name}_files", new)
    return arrived.requests(context.instance, stores).or_skip(arrived.nothing_new())
