"""Writes the append-only audit log: who did what, on what, from where, and with which result.

Each line's HMAC covers its text and the previous line's HMAC, by a key of the state (`audit_keys`), so forging a chain needs the
key. The head and the `anchor` record the length of the chain, `audit_export` sends lines elsewhere, and `audit_verify` finds
tampering.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.security.anchor import Anchor
from dq_pipelines.security.audit_keys import AuditKey, AuditKeys
from dq_pipelines.security.database import opened
from dq_pipelines.security.state import State
from dq_pipelines.security.store import AUDIT, AUDIT_HEAD

#: Takes the place of a previous hash for the first line.
BEGINNING = "0" * 64

#: Lines per query.
_CHUNK = 500


@dataclass(frozen=True)
class Event:
    """One action that a user did, or was refused."""

    #: a user's name; "" for an unknown caller
    who: str
    #: such as `login`, `launch`, `cancel`, `key.add`
    what: str
    #: the object: a table, a run, a key; "" for none
    on: str = ""
    #: the caller's address, or `cli`
    source: str = ""
    #: `done` or `refused`
    result: str = "done"
    #: further fields; never a secret
    more: Mapping[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class AuditLog:
    """The audit log of a state: a chain of lines by HMAC, and a head with its length, also by HMAC."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.keys = AuditKeys(state)
        self.anchor = Anchor(state)

    @cached_property
    def engine(self) -> sa.Engine:
        """The database; raises PublishError if it cannot be opened."""
        return opened(self.state.url, "audit log")

    def check(self) -> None:
        """Raises ConfigError if this process does not have the key that signed the last line."""
        with self.engine.connect() as connection:
            head = connection.execute(AUDIT_HEAD.select()).mappings().first()
        if head is not None and head["key_id"] is not None and head["key_id"] not in self.keys.all():
            message = (
                f"audit log: wanted the key {head['key_id']}, which signed its last line, found none in "
                f"{self.state.folder}: give each server the same DQ_AUDIT_KEY, or the same DQ_STATE"
            )
            raise ConfigError([Problem("", 0, message)])

    def add(self, *events: Event) -> int:
        """Write a line for each event, in one transaction that excludes other writers; returns the number of the last line."""
        anchored = []
        with self.engine.connect() as connection:
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(sa.text("LOCK TABLE dq_audit_head IN EXCLUSIVE MODE"))
            key = self.keys.newest()
            head = connection.execute(AUDIT_HEAD.select()).mappings().first()
            number, mark = (head["number"], head["hash"]) if head else (0, BEGINNING)
            for event in events:
                number, line = number + 1, _text(event)
                mark = line_mark(key, number, line, mark)
                connection.execute(AUDIT.insert().values(number=number, line=line, hash=mark, key_id=key.id))
                anchored.append((number, mark))
            values = {"number": number, "hash": mark, "key_id": key.id, "mark": head_mark(key, number, mark)}
            connection.execute(
                AUDIT_HEAD.update().values(**values) if head else AUDIT_HEAD.insert().values(one=1, **values)
            )
            connection.commit()
        # After the commit: an anchor of a line that was never written would look like a removed line.
        self.anchor.add(anchored, key)
        return int(number)

    def events(self, since: datetime | None = None) -> Iterator[tuple[int, Event]]:
        """The events with their numbers, oldest first."""
        return ((number, event) for number, _, event in self.marked() if since is None or event.at >= since)

    def marked(self, after: int = 0) -> Iterator[tuple[int, str, Event]]:
        """The events after this number, with number and hash, oldest first."""
        wanted = sa.select(AUDIT.c.number, AUDIT.c.hash, AUDIT.c.line).order_by(AUDIT.c.number).limit(_CHUNK)
        while True:
            # No connection stays open while the caller works on the lines.
            with self.engine.connect() as connection:
                rows = connection.execute(wanted.where(AUDIT.c.number > after)).all()
            for number, mark, line in rows:
                yield number, mark, event_of(line)
            if len(rows) < _CHUNK:
                return
            after = rows[-1][0]

    def rotate_key(self, who: str, source: str) -> AuditKey:
        """Sign lines by a new key from now on; a line by the old key and one by the new key record it."""
        old = self.keys.newest()
        self.add(Event(who, "audit.rotate-key", old.id, source, more={"part": "last line by this key"}))
        new = self.keys.rotate()
        self.add(Event(who, "audit.rotate-key", new.id, source, more={"part": "first line by this key"}))
        return new


def event_of(line: str) -> Event:
    """The event of a line of the log."""
    fields = json.loads(line)
    return Event(**fields | {"at": datetime.fromisoformat(fields["at"])})


def _text(event: Event) -> str:
    return json.dumps(asdict(event) | {"at": event.at.isoformat()}, ensure_ascii=False, sort_keys=True, default=str)


def line_mark(key: AuditKey, number: int, line: str, before: str) -> str:
    """The MAC of a line, its number and the previous line's MAC."""
    return key.mark("line", before, number, line)


def head_mark(key: AuditKey, number: int, digest: str) -> str:
    """The MAC of the head: it differs from that of any line, so a truncated log cannot reuse an earlier one."""
    return key.mark("head", number, digest)
