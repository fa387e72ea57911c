"""Opens an alert when a sensor cannot reach a source for several ticks in a row.

Such a tick only skips, so there is no failed run to report. A run that cannot reach its source fails instead.
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
    """Returns the number of failed ticks in a row that open an alert."""
    alerts = project.settings.alerts
    return UNREACHABLE_AFTER if alerts is None else alerts.unreachable_after


def note_failure(context: dg.SensorEvaluationContext, table: Table, stores: Stores, error: DqError, most: int) -> str:
    """Counts a failed tick in the sensor's cursor; from the `most`th on, opens the alert. Returns the skip reason."""
    failures = _failures(context) + 1
    context.update_cursor(str(failures))
    if failures >= most:
        context.log.warning("%s: %s", table.key, error)
        update_alert(stores, table, str(error))
    return f"{error} ({counted(failures, 'tick')} in a row)"


def note_success(context: dg.SensorEvaluationContext, table: Table, stores: Stores) -> None:
    """Resets the count, and closes the alert if it is open."""
    if _failures(context):
        context.update_cursor("0")
        update_alert(stores, table, None)


def update_alert(stores: Stores, table: Table, failure: str | None) -> None:
    """Opens or updates the alert that a table's source cannot be reached; `failure` None closes it."""
    book, now = AlertBook(stores.history), datetime.now(UTC)
    finding = Finding("source_unreachable", table.key, is_well=failure is None, said=failure or "")
    if failure is None and not stores.history.is_begun:
        return
    book.write(opened([finding], book.open(), now), now)


def _failures(context: dg.SensorEvaluationContext) -> int:
    cursor = context.cursor or ""
    return int(cursor) if cursor.isdecimal() else 0
