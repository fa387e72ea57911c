"""Caches the current status of every table, and reads again only the tables that have changed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

import sqlalchemy as sa

from dq_pipelines.history.queries.change_token import change_marks
from dq_pipelines.history.queries.table_status import TableStatus, released, statuses_without_released
from dq_pipelines.history.store.verdicts import History

#: Tables that are read by one query: a database takes only so many values in a list.
_AT_ONCE = 500


class StatusCache:
    """The statuses that `latest_statuses` returns, for a process that asks often.

    The status of a table that has not changed is the same object as before, so that what it has computed stays.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None
        self._marks: dict[str, str] = {}
        self._read: dict[str, TableStatus] = {}
        self._statuses: dict[str, TableStatus] = {}

    def all(self) -> Mapping[str, TableStatus]:
        """The status of every table with an attempt or verdict, by name."""
        if not self._history.is_begun:
            return {}
        with self._lock:
            engine = self._history.engine
            # The marks are read first: what changes during the reads below is read again the next time.
            marks = change_marks(self._history)
            known = self._marks if engine is self._engine else {}
            changed = sorted(table for table, mark in marks.items() if known.get(table) != mark)
            if changed or known.keys() != marks.keys():
                self._take(changed, marks)
                self._engine, self._marks = engine, dict(marks)
            return self._statuses

    def _take(self, changed: list[str], marks: Mapping[str, str]) -> None:
        kept = {table: status for table, status in self._read.items() if table in marks}
        for start in range(0, len(changed), _AT_ONCE):
            some = None if len(changed) == len(marks) <= _AT_ONCE else changed[start : start + _AT_ONCE]
            found = statuses_without_released(self._history, some)
            for table in changed[start : start + _AT_ONCE]:
                kept.pop(table, None)
            kept |= {table: found[table] for table in changed[start : start + _AT_ONCE] if table in found}
        self._read = dict(sorted(kept.items()))
        self._statuses = {table: self._with_released(status) for table, status in self._read.items()}

    def _with_released(self, status: TableStatus) -> TableStatus:
        ended = released(status.attempts, self._read.get)
        if not ended:
            return status
        before = self._statuses.get(status.table)
        again = replace(status, released=ended)
        return before if before == again else again
