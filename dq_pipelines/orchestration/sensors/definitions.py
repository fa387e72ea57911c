"""Sensors: when something should run. What runs belongs in `pipeline`."""

from __future__ import annotations

import dagster as dg

from dq_pipelines.errors import DqError
from dq_pipelines.orchestration.jobs.selections import assets_of
from dq_pipelines.orchestration.runs.run_queue import queue_tags
from dq_pipelines.orchestration.sensors.arrivals import Arrivals
from dq_pipelines.orchestration.sensors.sensor_defaults import sensor
from dq_pipelines.orchestration.sensors.unreachable_sources import note_failure, note_success, unreachable_after
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import GoldTable, LandedTable, Project, Table


def sensors(project: Project, stores: Stores) -> list[dg.SensorDefinition]:
    """One sensor per table with `on_arrival`, and one that computes eager gold."""
    found: list[dg.SensorDefinition] = [
        arrival_sensor(table, stores, unreachable_after(project))
        for table in project
        if isinstance(table.model, LandedTable) and table.model.on_arrival
    ]
    eager = [table for table in project if isinstance(table.model, GoldTable) and table.model.automation == "eager"]
    if eager:
        selection = assets_of(eager[0])
        for table in eager[1:]:
            selection = selection | assets_of(table)
        found.append(
            dg.AutomationConditionSensorDefinition(
                "eager_gold",
                target=selection,
                run_tags=queue_tags([table.name for table in eager]),
                default_status=dg.DefaultSensorStatus.RUNNING,
                description="Computes gold for each publication of an input",
            )
        )
    return found


def arrival_sensor(table: Table, stores: Stores, most_failures: int) -> dg.SensorDefinition:
    """Launches a run for inputs that bronze has not consumed: one per partition, or one for all, and none while one is under way.

    A source that cannot be reached is an alert after `most_failures` ticks in a row.
    """

    @sensor(
        f"{table.name}_arrivals", f"Runs {table.name} when a new or changed input has arrived", target=assets_of(table)
    )
    def arrivals(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            arrived = Arrivals.of(table, stores.lake)
        except DqError as error:
            return dg.SkipReason(note_failure(context, table, stores, error, most_failures))
        note_success(context, table, stores)
        if not arrived.by_partition:
            return arrived.nothing_new()
        if arrived.unassigned:
            context.log.warning("%s: %s", table.key, arrived.unassigned)
        new = arrived.new_partitions(context.instance)
        wanted = arrived.requests(context.instance, stores)
        if not wanted.runs:
            return dg.SkipReason("; ".join(wanted.waits))
        return dg.SensorResult(
            run_requests=wanted.runs,
            dynamic_partitions_requests=[dg.AddDynamicPartitionsRequest(f"{table.name}_files", new)] if new else [],
        )

    return arrivals
