"""The audit log: who did what, on what, from where, and how it ended. Lines are only ever added, each bound to the one before.

A line's hash is over its text and the hash before it, by HMAC with a key of the state (`audit_keys`): nobody without the key can
make a chain anew. The head says how long the chain is, the `anchor` beside the database says so too, and `audit_export` tells
others. Whether all is as it was written is found out in `audit_verify`.
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

#: What stands for the hash before the first line.
BEGINNING = "0" * 64

#: Lines that are read at once.
_CHUNK = 500


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


class AuditLog:
    """The log of this state. Each line is bound to the one before by HMAC, the head says by HMAC how long the log is."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.keys = AuditKeys(state)
        self.anchor = Anchor(state)

    @cached_property
    def engine(self) -> sa.Engine:
        """The database; raises PublishError where that cannot be opened."""
        return opened(self.state.url, "audit log")

    def check(self) -> None:
        """Whether this process has the key of the log's end; raises ConfigError where it has another one."""
        with self.engine.connect() as connection:
            head = connection.execute(AUDIT_HEAD.select()).mappings().first()
        if head is not None and head["key_id"] is not None and head["key_id"] not in self.keys.all():
            said = (
                f"audit log: wanted the key {head['key_id']}, by which its last line is marked, found none in "
                f"{self.state.folder}: give each server the same DQ_AUDIT_KEY, or the same DQ_STATE"
            )
            raise ConfigError([Problem("", 0, said)])

    def add(self, *events: Event) -> int:
        """Write a line for each, together; gives the number of the last. Writers come one after the other."""
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
        # After the commit: an anchor of a line that was never written would look like one that was removed.
        self.anchor.add(anchored, key)
        return int(number)

    def events(self, since: datetime | None = None) -> Iterator[tuple[int, Event]]:
        """Every line with its number, oldest first."""
        return ((number, event) for number, _, event in self.marked() if since is None or event.at >= since)

    def marked(self, after: int = 0) -> Iterator[tuple[int, str, Event]]:
        """Every line after this number, with its number and hash, oldest first."""
        wanted = sa.select(AUDIT.c.number, AUDIT.c.hash, AUDIT.c.line).order_by(AUDIT.c.number).limit(_CHUNK)
        while True:
            # No connection is open while somebody does something with a line.
            with self.engine.connect() as connection:
                rows = connection.execute(wanted.where(AUDIT.c.number > after)).all()
            for number, mark, line in rows:
                fields = json.loads(line)
                yield number, mark, Event(**fields | {"at": datetime.fromisoformat(fields["at"])})
            if len(rows) < _CHUNK:
                return
            after = rows[-1][0]

    def rotate_key(self, who: str, source: str) -> AuditKey:
        """Mark lines by a new key from now on, and say so in the log, by the old key and by the new one."""
        old = self.keys.newest()
        self.add(Event(who, "audit.rotate-key", old.id, source, more={"part": "last line by this key"}))
        new = self.keys.rotate()
        self.add(Event(who, "audit.rotate-key", new.id, source, more={"part": "first line by this key"}))
        return new


def _text(event: Event) -> str:
    return json.dumps(asdict(event) | {"at": event.at.isoformat()}, ensure_ascii=False, sort_keys=True, default=str)


def line_mark(key: AuditKey, number: int, line: str, before: str) -> str:
    """The hash of a line, which binds it to its number and to the line before."""
    return key.mark("line", before, number, line)


def head_mark(key: AuditKey, number: int, digest: str) -> str:
    """What the head says of itself: no earlier line makes it, so that the log cannot be cut to one."""
    return key.mark("head", number, digest)
