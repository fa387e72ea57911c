"""Writes how each maintenance run ended to the audit log, which has who started it. A run has no key to sign lines itself."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import dagster as dg

from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.security.audit_search import AuditQuery, latest

#: The line of an end, and seconds between two looks.
ENDED, LOOK = "maintenance.end", 5.0
#: How far back a new server looks for runs whose end has no line, and how many lines at most.
_BACK, _MOST = timedelta(days=7), 100_000


class EndedMaintenance:
    """The maintenance runs whose end has no line yet."""

    def __init__(self, instance: dg.DagsterInstance, log: AuditLog) -> None:
        self._instance, self._log = instance, log
        #: the last line that was read; None before the first look
        self._read: int | None = None
        self._waiting: dict[str, Event] = {}

    def look(self, _: threading.Event) -> None:
        """Write a line for each run that has ended since the last look."""
        self._read_on()
        for run_id, started in list(self._waiting.items()):
            run = self._instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                continue
            del self._waiting[run_id]
            if run is not None:
                result = "done" if run.status is dg.DagsterRunStatus.SUCCESS else "failed"
                more = {"run": run_id, "of": started.what, "status": run.status.value}
                self._log.add(Event(started.who, ENDED, started.on, "", result, more))

    def _read_on(self) -> None:
        """Take over lines that were written since the last look, by any server of these records."""
        if self._read is None:
            lines = latest(self._log, AuditQuery(since=datetime.now(UTC) - _BACK), _MOST)[::-1]
            self._read = 0
        else:
            lines = [(number, event) for number, _, event in self._log.marked(self._read)]
        for number, event in lines:
            self._read = max(self._read, number)
            run = event.more.get("run")
            if event.what == ENDED:
                self._waiting.pop(str(run), None)
            elif event.what.startswith("maintenance.") and event.result == "done" and run:
                self._waiting[str(run)] = event
