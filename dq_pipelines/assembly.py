"""Builds Dagster `Definitions` from a project."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg

from dq_pipelines.config.garbage import collector_paused
from dq_pipelines.errors import Problem
from dq_pipelines.orchestration.assets import table_assets
from dq_pipelines.orchestration.checks.freshness import freshness_checks, freshness_schedules
from dq_pipelines.orchestration.checks.left_out_tables import left_out_assets, left_out_checks
from dq_pipelines.orchestration.jobs.anomalies import anomaly_jobs
from dq_pipelines.orchestration.jobs.maintenance import upkeep_jobs, upkeep_schedules
from dq_pipelines.orchestration.jobs.purge_runs import purge_jobs, purge_schedules
from dq_pipelines.orchestration.jobs.quarantine import quarantine_jobs
from dq_pipelines.orchestration.jobs.recovery import recovery_jobs
from dq_pipelines.orchestration.jobs.selections import jobs
from dq_pipelines.orchestration.output_types import types_taken_as_they_are
from dq_pipelines.orchestration.schedules import schedules
from dq_pipelines.orchestration.sensors.alerts import alert_sensors
from dq_pipelines.orchestration.sensors.definitions import sensors
from dq_pipelines.orchestration.sensors.killed_attempts import attempt_sensors
from dq_pipelines.orchestration.sensors.lineage import lineage_sensors
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project


@collector_paused()
@types_taken_as_they_are()
def build_definitions(
    project: Project, *, stores: Stores | None = None, executor: dg.ExecutorDefinition | None = dg.in_process_executor
) -> dg.Definitions:
    """The assets, checks, jobs, schedules and sensors of `project`.

    `stores` are the lake and the history to write, by default those of the environment. The executor is
    in-process: the multiprocess one reloads the code location for every step. Pass `None` to merge the
    result into definitions with their own executor. Tables that `project` leaves out become assets that nothing
    materializes, with the reason; so do tables whose definitions Dagster refuses.
    """
    stores = stores or Stores.from_environment()
    try:
        return _loadable(project, stores, executor)
    except Exception:  # an error of one table must not stop the others
        sound = _without_refused(project, stores)
        if len(sound) == len(project):
            raise
        return _loadable(sound, stores, executor)


def _without_refused(project: Project, stores: Stores) -> Project:
    """The project without the tables whose definitions Dagster refuses, and without those that read them."""
    refused = []
    for name, table in project.tables.items():
        try:
            _loadable(replace(project, tables={name: table}, left_out=()), stores, None)
        except Exception as error:  # noqa: BLE001 - as above
            why = next(iter(str(error).splitlines()), "") or type(error).__name__
            refused.append(table.left_out(Problem(table.file, 0, f"Dagster refuses the table: {why}")))
    return project.leaving_out(refused)


def _loadable(project: Project, stores: Stores, executor: dg.ExecutorDefinition | None) -> dg.Definitions:
    """The validated definitions; raises Dagster's error if they do not load."""
    definitions = _definitions(project, stores, executor)
    dg.Definitions.validate_loadable(definitions)
    return definitions


def _definitions(project: Project, stores: Stores, executor: dg.ExecutorDefinition | None) -> dg.Definitions:
    maintenance = [*quarantine_jobs(project, stores), *upkeep_jobs(project, stores), *recovery_jobs(project, stores)]
    maintenance += purge_jobs(project, stores, [job.name for job in maintenance])
    maintenance += anomaly_jobs(project, stores)
    return dg.Definitions(
        assets=[*table_assets(project, stores), *left_out_assets(project)],
        asset_checks=[*freshness_checks(project), *left_out_checks(project)],
        jobs=[*jobs(project), *maintenance],
        schedules=[
            *schedules(project, stores),
            *upkeep_schedules(project),
            *purge_schedules(project),
            *freshness_schedules(project),
        ],
        sensors=[
            *sensors(project, stores),
            *attempt_sensors(project, stores),
            *alert_sensors(project, stores, [job.name for job in maintenance]),
            *lineage_sensors(project, stores),
        ],
        executor=executor,
    )
