"""Writes a step's progress to Dagster's event log, and reads it back.

Progress is an engine event of the table's step. The run's page shows it at once, it adds nothing to an asset's history,
and Dagster deletes it with the run.
"""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
from dagster._core.events import DagsterEventType, EngineEventData
from sqlalchemy.exc import SQLAlchemyError

from dq_pipelines.history.store.verdicts import History
from dq_pipelines.pipeline.runtime.progress import Progress, ProgressReporter
from dq_pipelines.project import Table
from dq_pipelines.project.checked_rules import checked_rules
from dq_pipelines.rules.core.check_names import check_names

#: The metadata key of a progress event. Its value is `Progress.to_json`.
PROGRESS = "dq/progress"


def reporter(
    context: dg.AssetExecutionContext, table: Table, history: History, partition: str | None, place: str = ""
) -> ProgressReporter:
    """Returns the progress reporter of this step; `place` names the current partition of several."""

    def usual() -> int | None:
        last = history.latest(table.key, partition, on_batch=True)
        return last.rows_in if last is not None and last.rows_in else None

    return ProgressReporter(table.key, check_names(checked_rules(table)), _event_writer(context), usual, place)


def _event_writer(context: dg.AssetExecutionContext) -> Callable[[Progress], None]:
    step = context.get_step_execution_context().step.key
    failed = False

    def write(progress: Progress) -> None:
        nonlocal failed
        if failed:
            return
        try:
            context.instance.report_engine_event(
                str(progress),
                context.run,
                EngineEventData({PROGRESS: dg.MetadataValue.json(progress.to_json())}),
                step_key=step,
            )
        except (SQLAlchemyError, dg.DagsterError) as error:
            # Progress is informative only, so an error here must not fail the run.
            failed = True
            context.log.warning("progress is no longer reported: %s", str(error).splitlines()[0])

    return write


def progress_of(entry: dg.EventLogEntry) -> Progress | None:
    """Returns the progress in an event; None for an event of another kind."""
    event = entry.dagster_event
    if event is None or event.event_type is not DagsterEventType.ENGINE_EVENT:
        return None
    entry_value = event.engine_event_data.metadata.get(PROGRESS)
    return (
        Progress.of_json(entry_value.value)
        if isinstance(entry_value, dg.JsonMetadataValue) and isinstance(entry_value.value, dict)
        else None
    )
