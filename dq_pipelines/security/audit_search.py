"""Searches the audit log from its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import sqlalchemy as sa

from dq_pipelines.security.audit import AuditLog, Event, event_of
from dq_pipelines.security.store import AUDIT

_CHUNK = 500


@dataclass(frozen=True)
class AuditQuery:
    """The wanted events; by default all."""

    who: str | None = None
    what: str | None = None
    #: a part of the object's name
    on: str | None = None
    result: str | None = None
    since: datetime | None = None

    def wants(self, event: Event) -> bool:
        """Whether the event is wanted; `since` aside."""
        given = ((self.who, event.who), (self.what, event.what), (self.result, event.result))
        return all(wanted is None or wanted == found for wanted, found in given) and (self.on or "") in event.on


def latest(log: AuditLog, query: AuditQuery, limit: int, before: int | None = None) -> list[tuple[int, Event]]:
    """The last wanted events with their numbers, newest first; with `before`, those with a lower number."""
    return list(islice(_backwards(log, query, before), limit))


def _backwards(log: AuditLog, query: AuditQuery, before: int | None) -> Iterator[tuple[int, Event]]:
    wanted = sa.select(AUDIT.c.number, AUDIT.c.line).order_by(AUDIT.c.number.desc()).limit(_CHUNK)
    while True:
        with log.engine.connect() as connection:
            rows = connection.execute(wanted if before is None else wanted.where(AUDIT.c.number < before)).all()
        for number, line in rows:
            event = event_of(line)
            if query.since is not None and event.at < query.since:
                return
            if query.wants(event):
                yield number, event
        if len(rows) < _CHUNK:
            return
        before = rows[-1][0]
