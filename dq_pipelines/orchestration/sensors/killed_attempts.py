"""Attempts of runs that could not write them down: killed ones, and those that ended before a step began.

What a step writes itself belongs in `orchestration.steps.attempts`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from dq_pipelines.config.counting import counted
from dq_pipelines.history.alerts.run_cursor import RunsRead
from dq_pipelines.history.store.attempts import Attempt, Attempts
from dq_pipelines.history.store.status import Outcome
from dq_pipelines.orchestration.runs.dead_runs import dead_runs, end_dead_run, under_way
from dq_pipelines.orchestration.runs.ended_runs import RunLog, ended, newly_ended_runs
from dq_pipelines.orchestration.runs.run_partition import may_be_about
from dq_pipelines.orchestration.sensors.sensor_defaults import sensor
from dq_pipelines.orchestration.steps.attempts import run_end
from dq_pipelines.pipeline.runtime.dead_attempts import CANCELLED, KILLED, settle
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project


def attempt_sensors(project: Project, stores: Stores) -> list[dg.SensorDefinition]:
    """`attempts`, which reads runs that have ended."""
    if not list(project):
        return []

    @sensor("attempts", "Writes down how runs of tables ended that were killed, or ended before they began")
    def attempts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        settle(stores, run_end(context.instance))
        for run in list(dead_runs(context.instance, stores, under_way(context.instance))):
            if end_dead_run(context.instance, run.run_id):
                context.log.warning("run %s: %s", run.run_id, KILLED)
        read = RunsRead("attempts", stores.history)
        seen = newly_ended_runs(context, read, datetime.now(UTC))
        found = 0
        for record in seen.runs:
            told = RunLog(context.instance, record)
            missed = missed_attempts(told, project, Attempts(stores.history).of_run(told.run.run_id))
            for attempt in missed:
                Attempts(stores.history).record(attempt)
            found += len(missed)
            with stores.history.engine.begin() as connection:
                read.mark(connection, told.run.run_id, datetime.now(UTC))
        context.update_cursor(seen.cursor)
        return dg.SkipReason(f"{counted(len(seen.runs), 'run')} read, {counted(found, 'attempt')} written down")

    return [attempts]


def missed_attempts(told: RunLog, project: Project, known: list[Attempt]) -> list[Attempt]:
    """The attempts at tables, or partitions of them, that a run was to materialize, and of which it has written none."""
    if told.run.status == dg.DagsterRunStatus.SUCCESS:
        return []
    there = {(attempt.table, attempt.partition) for attempt in known}
    tables = {table.key: table for table in project if {*table.assets} & told.planned}
    outcome, said = _why(told)
    began = told.record.start_time or told.record.create_timestamp.timestamp()
    at, tags = datetime.fromtimestamp(began, UTC), told.run.tags
    return [
        Attempt(key, partition, told.run.run_id, at, upstream=",".join(table.upstream)).ended(
            outcome, ended(told.record), said
        )
        for key, table in sorted(tables.items())
        for partition in may_be_about(table, tags, told.instance)
        if (key, partition) not in there
    ]


def _why(told: RunLog) -> tuple[Outcome, str]:
    """How a table's attempt ended that never began."""
    if told.run.status == dg.DagsterRunStatus.CANCELED:
        return "cancelled", CANCELLED
    if told.failed_steps:
        step, said = next(iter(told.failed_steps.items()))
        return "waiting", f"the run ended before it: {step} failed: {said}"
    return "failed", told.end or "the run ended before it began"
