"""Defines the sensor that records attempts which the run itself could not record.

These are attempts of killed runs, and of runs that ended before the step began.
"""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from dq_pipelines.config.counting import counted
from dq_pipelines.history.alerts.run_cursor import RunsRead
from dq_pipelines.history.store.attempts import Attempt, Attempts
from dq_pipelines.history.store.status import Outcome
from dq_pipelines.orchestration.runs.dead_runs import dead_runs, end_dead_run, started_runs
from dq_pipelines.orchestration.runs.ended_runs import RunLog, ended, newly_ended_runs
from dq_pipelines.orchestration.runs.run_partition import partitions_named
from dq_pipelines.orchestration.sensors.sensor_defaults import sensor
from dq_pipelines.orchestration.steps.attempts import run_end
from dq_pipelines.pipeline.runtime.dead_attempts import CANCELLED, KILLED, record_dead_attempts
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project


def attempt_sensors(project: Project, stores: Stores) -> list[dg.SensorDefinition]:
    """Returns the sensor `attempts`, if the project has tables."""
    if not list(project):
        return []

    @sensor("attempts", "Records how runs of tables ended that were killed, or ended before their step began")
    def attempts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        record_dead_attempts(stores, run_end(context.instance))
        for run in list(dead_runs(context.instance, stores, started_runs(context.instance))):
            if end_dead_run(context.instance, run.run_id):
                context.log.warning("run %s: %s", run.run_id, KILLED)
        read = RunsRead("attempts", stores.history)
        ended_runs = newly_ended_runs(context, read, datetime.now(UTC))
        recorded = 0
        for record in ended_runs.runs:
            log = RunLog(context.instance, record)
            missed = missed_attempts(log, project, Attempts(stores.history).of_run(log.run.run_id))
            for attempt in missed:
                Attempts(stores.history).record(attempt)
            recorded += len(missed)
            with stores.history.engine.begin() as connection:
                read.mark(connection, log.run.run_id, datetime.now(UTC))
        context.update_cursor(ended_runs.cursor)
        return dg.SkipReason(f"{counted(len(ended_runs.runs), 'run')} read, {counted(recorded, 'attempt')} recorded")

    return [attempts]


def missed_attempts(log: RunLog, project: Project, recorded: list[Attempt]) -> list[Attempt]:
    """Returns the attempts at tables and partitions that a run planned to materialize and did not record."""
    if log.run.status == dg.DagsterRunStatus.SUCCESS:
        return []
    recorded_keys = {(attempt.table, attempt.partition) for attempt in recorded}
    tables = {table.key: table for table in project if {*table.assets} & log.planned}
    outcome, message = _outcome(log)
    began = log.record.start_time or log.record.create_timestamp.timestamp()
    at, tags = datetime.fromtimestamp(began, UTC), log.run.tags
    return [
        Attempt(key, partition, log.run.run_id, at, upstream=",".join(table.upstream)).ended(
            outcome, ended(log.record), message
        )
        for key, table in sorted(tables.items())
        for partition in partitions_named(table, tags, log.instance)
        if (key, partition) not in recorded_keys
    ]


def _outcome(log: RunLog) -> tuple[Outcome, str]:
    """Returns outcome and message of an attempt that never began."""
    if log.run.status == dg.DagsterRunStatus.CANCELED:
        return "cancelled", CANCELLED
    if log.failed_steps:
        step, message = next(iter(log.failed_steps.items()))
        return "waiting", f"the run ended before it: {step} failed: {message}"
    return "failed", log.end or "the run ended before it began"
