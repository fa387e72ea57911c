"""Schedules: tables that run by the clock. What runs belongs in `layers`."""

from __future__ import annotations

import dagster as dg

from dq_pipelines.automation.arrivals import Arrivals
from dq_pipelines.automation.jobs import assets_of
from dq_pipelines.errors import DqError
from dq_pipelines.layers.partitions_definition import partitions_definition
from dq_pipelines.layers.stores import Stores
from dq_pipelines.project import Project, Table


def schedules(project: Project, stores: Stores) -> list[dg.ScheduleDefinition]:
    """One schedule per table with `schedule`."""
    return [_schedule(table, table.model.schedule, stores) for table in project if table.model.schedule is not None]


def _schedule(table: Table, cron: str, stores: Stores) -> dg.ScheduleDefinition:
    name, description = f"{table.name}_schedule", f"Runs {table.name} at {cron} (UTC)"
    running = dg.DefaultScheduleStatus.RUNNING
    if partitions_definition(table) is None:
        return dg.ScheduleDefinition(
            name, cron_schedule=cron, target=assets_of(table), default_status=running, description=description
        )

    @dg.schedule(
        name=name, cron_schedule=cron, target=assets_of(table), default_status=running, description=description
    )
    def by_partition(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        try:
            arrived = Arrivals.of(table, stores.lake)
        except DqError as error:
            return dg.SkipReason(str(error))
        if arrived.unassigned:
            context.log.warning("%s: %s", table.key, arrived.unassigned)
        if new := arrived.new_partitions(context.instance):
            context.instance.add_dynamic_partitions(f"{table.name}_files", new)
        return arrived.run_requests() or arrived.nothing_new()

    return by_partition
