"""The audit log: who did what, on what, from where, and how it ended. Lines are only ever added, each bound to the one before.

A line's hash is over its text and the hash before it, by HMAC with DQ_AUDIT_KEY where that is set: then nobody without the
key can make a chain anew. The head says how long the chain is, so that a last line that is removed is missed, too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from dq_pipelines.security.state import State
from dq_pipelines.security.store import AUDIT, AUDIT_HEAD, opened

_BEGINNING = "0" * 64


@dataclass(frozen=True)
class Event:
    """One thing that somebody did, or was refused."""

    #: a user's name; "" for nobody that is known
    who: str
    #: such as `login`, `launch`, `cancel`, `key.add`
    what: str
    #: a table, a run, a key; "" for nothing in particular
    on: str = ""
    #: an address, or `cli`
    source: str = ""
    #: `done` or `refused`
    result: str = "done"
    #: more of it; never a secret
    more: Mapping[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Breach:
    """Where the log is not what was written."""

    number: int
    said: str


class AuditLog:
    """The log of this state; its chain is keyed by `DQ_AUDIT_KEY` where that is set."""

    def __init__(self, state: State, key: str | None = None) -> None:
        self.state = state
        key = key if key is not None else os.environ.get("DQ_AUDIT_KEY")
        self._key = key.encode() if key else None

    @cached_property
    def engine(self) -> sa.Engine:
        """The database; raises PublishError where that cannot be opened."""
        return opened(self.state.url, "audit log")

    def add(self, event: Event) -> int:
        """Write a line; gives its number. Writers come one after the other."""
        line = json.dumps(asdict(event) | {"at": event.at.isoformat()}, ensure_ascii=False, sort_keys=True, default=str)
        with self.engine.connect() as connection:
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(sa.text("LOCK TABLE dq_audit_head IN EXCLUSIVE MODE"))
            head = connection.execute(AUDIT_HEAD.select()).mappings().first()
            number = (head["number"] if head else 0) + 1
            mark = self._mark(number, line, head["hash"] if head else _BEGINNING)
            connection.execute(AUDIT.insert().values(number=number, line=line, hash=mark))
            values = {"number": number, "hash": mark}
            connection.execute(
                AUDIT_HEAD.update().values(**values) if head else AUDIT_HEAD.insert().values(one=1, **values)
            )
            connection.commit()
        return number

    def events(self, since: datetime | None = None) -> Iterator[tuple[int, Event]]:
        """Every line with its number, oldest first."""
        with self.engine.connect() as connection:
            for number, line in connection.execute(sa.select(AUDIT.c.number, AUDIT.c.line).order_by(AUDIT.c.number)):
                fields = json.loads(line)
                event = Event(**fields | {"at": datetime.fromisoformat(fields["at"])})
                if since is None or event.at >= since:
                    yield number, event

    def verify(self) -> list[Breach]:
        """Where lines were changed, removed or put in; none when the log is what was written."""
        before, expected, found = _BEGINNING, 1, []
        with self.engine.connect() as connection:
            for number, line, mark in connection.execute(AUDIT.select().order_by(AUDIT.c.number)):
                if number != expected:
                    found.append(Breach(expected, f"lines {expected} to {number - 1} were removed"))
                elif mark != self._mark(number, line, before):
                    found.append(Breach(number, f"line {number} was changed, or put in"))
                before, expected = mark, number + 1
            head = connection.execute(AUDIT_HEAD.select()).mappings().first()
        last = head["number"] if head else 0
        if last >= expected:
            found.append(Breach(expected, f"lines {expected} to {last} were removed"))
        elif last < expected - 1 or (head is not None and head["hash"] != before):
            found.append(Breach(expected - 1, f"the last line is {expected - 1}, where line {last} was written last"))
        return found

    def _mark(self, number: int, line: str, before: str) -> str:
        text = f"{before}\n{number}\n{line}".encode()
        return (hmac.new(self._key, text, hashlib.sha256) if self._key else hashlib.sha256(text)).hexdigest()
