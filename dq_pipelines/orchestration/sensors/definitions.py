"""Defines the arrival sensors of tables with `on_arrival`, and the automation sensor of eager gold."""

from __future__ import annotations

import dagster as dg

from dq_pipelines.errors import DqError
from dq_pipelines.orchestration.jobs.asset_job import AssetJob, assets_of
from dq_pipelines.orchestration.runs.run_queue import queue_tags
from dq_pipelines.orchestration.sensors.arrivals import Arrivals
from dq_pipelines.orchestration.sensors.sensor_defaults import sensor
from dq_pipelines.orchestration.sensors.unreachable_sources import note_failure, note_success, unreachable_after
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import GoldTable, LandedTable, Project, Table
from dq_pipelines.project.automation_names import arrivals_name


def sensors(project: Project, stores: Stores) -> list[dg.SensorDefinition]:
    """Returns one sensor per table with `on_arrival`, and one that computes eager gold."""
    definitions: list[dg.SensorDefinition] = [
        arrival_sensor(table, stores, unreachable_after(project))
        for table in project
        if isinstance(table.model, LandedTable) and table.model.on_arrival
    ]
    eager = [table for table in project if isinstance(table.model, GoldTable) and table.model.automation == "eager"]
    if eager:
        definitions.append(
            dg.AutomationConditionSensorDefinition(
                "eager_gold",
                target=assets_of(*eager),
                run_tags=queue_tags([table.name for table in eager]),
                default_status=dg.DefaultSensorStatus.RUNNING,
                description="Computes gold for each publication of an input",
            )
        )
    return definitions


def arrival_sensor(table: Table, stores: Stores, most_failures: int) -> dg.SensorDefinition:
    """Returns a sensor that launches a run for new inputs: one per partition, and none while one is unfinished.

    After `most_failures` ticks in a row that cannot reach the source, it opens an alert.
    """
    name, about = arrivals_name(table.name), f"Runs {table.name} when a new or changed input has arrived"

    @sensor(name, about, target=AssetJob.of_automation(name, table))
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
        requests = arrived.requests(context.instance, stores)
        if not requests.runs:
            return dg.SkipReason("; ".join(requests.reasons))
        return dg.SensorResult(
            run_requests=requests.runs,
            dynamic_partitions_requests=[dg.AddDynamicPartitionsRequest(f"{table.name}_files", new)] if new else [],
        )

    return arrivals
