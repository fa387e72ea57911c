"""Sources that cannot be reached: an alert after several ticks in a row, since no run is there to fail.

A tick that cannot list a source only skips. What a run finds out of reach fails the run.
"""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from dq_pipelines.config.counting import counted
from dq_pipelines.errors import DqError
from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines.monitoring.alerts.opening import Finding, opened
from dq_pipelines.monitoring.alerts.settings import UNREACHABLE_AFTER
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project, Table


def unreachable_after(project: Project) -> int:
    """How many ticks in a row a source may fail until that is an alert."""
    asked = project.settings.alerts
    return UNREACHABLE_AFTER if asked is None else asked.unreachable_after


def note_failure(context: dg.SensorEvaluationContext, table: Table, stores: Stores, error: DqError, most: int) -> str:
    """Count a tick that has failed in the sensor's cursor, and open the alert when it is the last one allowed; what to say."""
    failures = _failures(context) + 1
    context.update_cursor(str(failures))
    if failures >= most:
        context.log.warning("%s: %s", table.key, error)
        note(stores, table, str(error))
    return f"{error} ({counted(failures, 'tick')} in a row)"


def note_success(context: dg.SensorEvaluationContext, table: Table, stores: Stores) -> None:
    """Begin to count anew, and close the alert where there is one."""
    if _failures(context):
        context.update_cursor("0")
        note(stores, table, None)


def note(stores: Stores, table: Table, failure: str | None) -> None:
    """Open or renew the alert that says why a table's source cannot be reached; None closes it."""
    book, now = AlertBook(stores.history), datetime.now(UTC)
    found = Finding("source_unreachable", table.key, is_well=failure is None, said=failure or "")
    if failure is None and not stores.history.is_begun:
        return
    book.write(opened([found], book.open(), now), now)


def _failures(context: dg.SensorEvaluationContext) -> int:
    cursor = context.cursor or ""
    return int(cursor) if cursor.isdecimal() else 0
