"""Progress in Dagster's event log: written while a run goes on, and read back by whoever shows it.

It is an engine event of the table's step: the run's page shows it as it comes, no asset gets another entry for it, and Dagster
forgets it with the run.
"""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
from dagster._core.events import DagsterEventType, EngineEventData
from sqlalchemy.exc import SQLAlchemyError

from dq_pipelines.history.store.verdicts import History
from dq_pipelines.pipeline.runtime.progress import Progress, Reporter
from dq_pipelines.project import Table
from dq_pipelines.project.checked_rules import checked_rules
from dq_pipelines.rules.core.render import check_names

#: The one entry of such an event's metadata: `Progress.to_json`.
PROGRESS = "dq/progress"


def reporter(
    context: dg.AssetExecutionContext, table: Table, history: History, partition: str | None, place: str = ""
) -> Reporter:
    """What tells this step's progress; `place` says which partition of several it is at."""

    def usual() -> int | None:
        last = history.latest(table.key, partition, on_batch=True)
        return last.rows_in if last is not None and last.rows_in else None

    return Reporter(table.key, check_names(checked_rules(table)), _telling(context), usual, place)


def _telling(context: dg.AssetExecutionContext) -> Callable[[Progress], None]:
    step = context.get_step_execution_context().step.key
    silent = False

    def tell(progress: Progress) -> None:
        nonlocal silent
        if silent:
            return
        try:
            context.instance.report_engine_event(
                str(progress),
                context.run,
                EngineEventData({PROGRESS: dg.MetadataValue.json(progress.to_json())}),
                step_key=step,
            )
        except (SQLAlchemyError, dg.DagsterError) as error:
            # Of what is only told, a run must not die; what it must write it will try itself.
            silent = True
            context.log.warning("progress is told no more: %s", str(error).splitlines()[0])

    return tell


def progress_of(entry: dg.EventLogEntry) -> Progress | None:
    """What an event says of a table's progress; None for an event of another kind."""
    event = entry.dagster_event
    if event is None or event.event_type is not DagsterEventType.ENGINE_EVENT:
        return None
    said = event.engine_event_data.metadata.get(PROGRESS)
    return (
        Progress.of_json(said.value)
        if isinstance(said, dg.JsonMetadataValue) and isinstance(said.value, dict)
        else None
    )
