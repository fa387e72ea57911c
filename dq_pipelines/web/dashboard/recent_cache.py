"""Caches what changed in each table within the last day, and asks again only about tables with a new verdict or attempt."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

from dq_pipelines.history.queries.recent_changes import RecentChanges, recent_changes
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.verdicts import History

#: How far back a change is recent.
SPAN = timedelta(days=1)
#: The beginning of the day moves in such steps: all tables are asked about after each.
_STEP = timedelta(minutes=10)
#: Tables that one query names: a database takes only so many values.
_AT_ONCE = 500


class RecentCache:
    """The recent changes of one site's tables."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._lock = threading.Lock()
        self._since: datetime | None = None
        self._asked: Mapping[str, TableStatus] = {}
        self._changes: dict[str, RecentChanges] = {}

    def now(self, statuses: Mapping[str, TableStatus], at: datetime) -> Mapping[str, RecentChanges]:
        """The changes by table, of these statuses: a status that is another object than last time is a new one."""
        since = _step_before(at) - SPAN
        with self._lock:
            changed = [table for table, status in statuses.items() if self._asked.get(table) is not status]
            if since != self._since or len(changed) > _AT_ONCE:
                self._changes = recent_changes(self._history, since)
            elif changed:
                found = recent_changes(self._history, since, changed)
                kept = {table: one for table, one in self._changes.items() if table not in changed}
                self._changes = kept | found
            self._since, self._asked = since, statuses
            return self._changes


def _step_before(at: datetime) -> datetime:
    return datetime.fromtimestamp(at.timestamp() // _STEP.total_seconds() * _STEP.total_seconds(), at.tzinfo)
