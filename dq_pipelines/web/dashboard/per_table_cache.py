"""Caches what a query of history finds by table, and asks again only about tables with a new verdict or attempt."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.verdicts import History

#: The beginning of a time range moves in such steps: all tables are asked about after each.
_STEP = timedelta(minutes=10)
#: Tables that one query names: a database takes only so many values.
_AT_ONCE = 500

Found = TypeVar("Found")
Answer_co = TypeVar("Answer_co", covariant=True)


class Query(Protocol[Answer_co]):
    """Finds something by table since a moment (None for the beginning of history), for some or all tables."""

    def __call__(
        self, history: History, since: datetime | None, tables: Collection[str] | None = None
    ) -> Mapping[str, Answer_co]: ...


class PerTableCache(Generic[Found]):
    """The answers of one query about a time range that ends now."""

    def __init__(self, history: History, query: Query[Found], span: timedelta | None) -> None:
        self._history, self._query, self._span = history, query, span
        self._lock = threading.Lock()
        self._since: datetime | None = None
        self._asked: Mapping[str, TableStatus] | None = None
        self._found: dict[str, Found] = {}

    def now(self, statuses: Mapping[str, TableStatus], at: datetime) -> Mapping[str, Found]:
        """The answers by table, of these statuses: a status that is another object than last time is a new one."""
        since = None if self._span is None else _step_before(at) - self._span
        with self._lock:
            asked = self._asked
            changed = [] if asked is None else [key for key, status in statuses.items() if asked.get(key) is not status]
            if asked is None or since != self._since or len(changed) > _AT_ONCE:
                self._found = dict(self._query(self._history, since))
            elif changed:
                kept = {table: one for table, one in self._found.items() if table not in changed}
                self._found = kept | dict(self._query(self._history, since, changed))
            self._since, self._asked = since, statuses
            return self._found


def _step_before(at: datetime) -> datetime:
    return datetime.fromtimestamp(at.timestamp() // _STEP.total_seconds() * _STEP.total_seconds(), at.tzinfo)
