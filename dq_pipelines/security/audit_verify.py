"""Finds tampering in the audit log: in its lines, its head and its anchor."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dq_pipelines.config import withheld
from dq_pipelines.security.anchor import AnchorEntry
from dq_pipelines.security.audit import BEGINNING, AuditLog, head_mark, line_mark
from dq_pipelines.security.audit_keys import AuditKey
from dq_pipelines.security.store import AUDIT, AUDIT_HEAD


@dataclass(frozen=True)
class Breach:
    """A place at which the log differs from what was written."""

    #: the number of the line; 0 for the anchor as a whole
    number: int
    message: str


def verify(log: AuditLog) -> list[Breach]:
    """The places where lines were changed, removed or inserted; none if the log is intact."""
    reading = _Reading(log.keys.all(), log)
    return list(reading.breaches())


@dataclass
class _Reading:
    """One pass over the log from its first line to its end."""

    keys: dict[str, AuditKey]
    log: AuditLog
    #: the number of the first line that is signed by a key; 0 for none
    first_keyed: int = 0
    last: int = 0
    hash: str = BEGINNING
    unknown: set[str] = field(default_factory=set)
    #: the anchored hash by number
    anchored: dict[int, str] = field(default_factory=dict)
    #: the numbers of lines anchored by unknown keys
    others: list[int] = field(default_factory=list)

    def breaches(self) -> Iterator[Breach]:
        yield from self._anchors()
        with self.log.engine.connect() as connection:
            for row in connection.execute(AUDIT.select().order_by(AUDIT.c.number)).mappings():
                yield from self._line(row)
            head = connection.execute(AUDIT_HEAD.select()).mappings().first()
        yield from self._head(head)
        yield from self._end()

    def _anchors(self) -> Iterator[Breach]:
        for place, line in enumerate(self.log.anchor.lines(), 1):
            if not isinstance(line, AnchorEntry):
                yield Breach(0, f"line {place} of the anchor is invalid")
            elif line.key not in self.keys:
                self.others.append(line.number)
                yield from self._unknown_key(line.number, line.key)
            elif not line.is_marked_by(self.keys[line.key]):
                yield Breach(line.number, f"line {place} of the anchor was changed or inserted")
            else:
                self.anchored[line.number] = line.hash

    def _line(self, row: Any) -> Iterator[Breach]:
        number, line, key = row["number"], row["line"], row["key_id"]
        if number != self.last + 1:
            yield Breach(self.last + 1, f"lines {self.last + 1} to {number - 1} were removed")
        elif key is not None and key not in self.keys:
            yield from self._unknown_key(number, key)
        elif not self._is_right(number, line, row["hash"], key):
            yield Breach(number, f"line {number} was changed or inserted")
        elif self.anchored.get(number, row["hash"]) != row["hash"]:
            yield Breach(number, f"line {number} differs from its anchor: the log was rewritten")
        if key is not None and not self.first_keyed:
            self.first_keyed = number
        self.last, self.hash = number, row["hash"]

    def _is_right(self, number: int, line: str, mark: str, key: str | None) -> bool:
        if key is not None:
            return hmac.compare_digest(mark, line_mark(self.keys[key], number, line, self.hash))
        # Earlier releases wrote lines without a key id; none of them comes after a line with one.
        text = f"{self.hash}\n{number}\n{line}".encode()
        setting = withheld.environment().get("DQ_AUDIT_KEY", "")
        marks = [hashlib.sha256(text).hexdigest()]
        marks += [
            hmac.new(key.encode(), text, hashlib.sha256).hexdigest() for key in (setting, *setting.split()) if key
        ]
        return not self.first_keyed and mark in marks

    def _head(self, head: Any) -> Iterator[Breach]:
        last = head["number"] if head else 0
        if last > self.last:
            yield Breach(self.last + 1, f"lines {self.last + 1} to {last} were removed")
        elif last < self.last or (head is not None and head["hash"] != self.hash):
            yield Breach(self.last, f"the last line is {self.last}, but line {last} was written last")
        elif head is not None and head["key_id"] in self.keys:
            if head["mark"] != head_mark(self.keys[head["key_id"]], last, head["hash"]):
                yield Breach(last, f"the head, which says that line {last} is the last one, was changed")
        elif head is not None and (head["key_id"] is not None or self.log.anchor.exists):
            yield Breach(last, f"the head, which says that line {last} is the last one, is signed by no known key")

    def _end(self) -> Iterator[Breach]:
        most = max(self.anchored, default=0)
        if most > self.last:
            yield Breach(self.last + 1, f"lines {self.last + 1} to {most}, which were anchored, were removed")
        # If several servers write to one PostgreSQL, each anchors only its own lines.
        alone = self.log.engine.dialect.name == "sqlite"
        first = min((*self.anchored, *self.others), default=self.last + 1)
        if alone and 0 < self.first_keyed < first:
            message = f"the anchor has no entry for lines {self.first_keyed} to {first - 1}: it was truncated"
            yield Breach(self.first_keyed, message)

    def _unknown_key(self, number: int, key: str) -> Iterator[Breach]:
        if key not in self.unknown:
            self.unknown.add(key)
            yield Breach(number, f"line {number} is signed by the key {key}, which is missing here")
