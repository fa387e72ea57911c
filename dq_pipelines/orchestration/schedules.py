"""Defines the schedules of tables with `schedule`."""

from __future__ import annotations

import dagster as dg

from dq_pipelines.errors import DqError
from dq_pipelines.orchestration.jobs.asset_job import AssetJob
from dq_pipelines.orchestration.runs.run_partition import has_partitions
from dq_pipelines.orchestration.runs.run_queue import WAITING, queue_tags, run_under_way
from dq_pipelines.orchestration.sensors.arrivals import Arrivals
from dq_pipelines.orchestration.sensors.unreachable_sources import update_alert
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project, Table
from dq_pipelines.project.automation_names import schedule_name


def schedules(project: Project, stores: Stores) -> list[dg.ScheduleDefinition]:
    """Returns one schedule per table with `schedule`."""
    return [_schedule(table, table.model.schedule, stores) for table in project if table.model.schedule is not None]


def _schedule(table: Table, cron: str, stores: Stores) -> dg.ScheduleDefinition:
    name, by_partition, zone = schedule_name(table.name), has_partitions(table), table.model.timezone

    @dg.schedule(
        name=name,
        cron_schedule=cron,
        execution_timezone=zone,
        target=AssetJob.of_automation(name, table),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Runs {table.name} at {cron} ({zone})",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        if by_partition:
            return _of_partitions(context, table, stores)
        # A queued run has not listed its inputs yet, so it takes the new ones. A started run may miss them.
        if (run := run_under_way(context.instance, table, statuses=WAITING)) is not None:
            return dg.SkipReason(f"{table.key}: run {run.run_id} already waits in the queue")
        return [dg.RunRequest(tags=queue_tags([table.name]))]

    return schedule


def _of_partitions(
    context: dg.ScheduleEvaluationContext, table: Table, stores: Stores
) -> list[dg.RunRequest] | dg.SkipReason:
    """Requests a run for each partition with new inputs."""
    try:
        arrived = Arrivals.of(table, stores.lake)
    except DqError as error:
        update_alert(stores, table, str(error))  # a schedule's tick is a planned run, so one failure opens the alert
        return dg.SkipReason(str(error))
    update_alert(stores, table, None)
    if arrived.unassigned:
        context.log.warning("%s: %s", table.key, arrived.unassigned)
    if new := arrived.new_partitions(context.instance):
        context.instance.add_dynamic_partitions(f"{table.name}_files", new)
    return arrived.requests(context.instance, stores).or_skip(arrived.nothing_new())
