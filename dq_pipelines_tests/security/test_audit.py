"""The audit log: what was changed, removed or put in is found, on SQLite and on PostgreSQL, whoever else is writing."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.security.state import State
from dq_pipelines.security.store import AUDIT, AUDIT_HEAD


@pytest.fixture
def log(state: State) -> AuditLog:
    log = AuditLog(state)
    for number in range(1, 6):
        log.add(Event("ann", "launch", f"run-{number}", "127.0.0.1", more={"table": "ä"}))
    return log


def tampered(log: AuditLog, *statements: Any) -> list[str]:
    with log.engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)
    return [breach.said for breach in log.verify()]


def test_a_log_as_it_was_written_is_whole(log: AuditLog) -> None:
    assert log.verify() == []
    assert [(number, event.on) for number, event in log.events()][:2] == [(1, "run-1"), (2, "run-2")]
    assert next(log.events())[1].more == {"table": "ä"}


def test_a_changed_line_is_found(log: AuditLog) -> None:
    line = sa.func.replace(AUDIT.c.line, "ann", "bob")
    assert tampered(log, AUDIT.update().where(AUDIT.c.number == 3).values(line=line)) == [
        "line 3 was changed, or put in"
    ]


def test_a_removed_line_is_found(log: AuditLog) -> None:
    assert tampered(log, AUDIT.delete().where(AUDIT.c.number == 3))[0] == "lines 3 to 3 were removed"
    assert "lines 5 to 5 were removed" in tampered(log, AUDIT.delete().where(AUDIT.c.number == 5))


def test_a_line_that_was_put_in_is_found(log: AuditLog) -> None:
    assert tampered(log, AUDIT.insert().values(number=6, line="{}", hash="0" * 64)) == [
        "line 6 was changed, or put in",
        "the last line is 6, where line 5 was written last",
    ]


def test_a_chain_that_was_made_anew_is_found_where_there_is_a_key(state: State) -> None:
    AuditLog(state, "secret").add(Event("ann", "login"))
    with AuditLog(state).engine.begin() as connection:
        connection.execute(AUDIT.delete())
        connection.execute(AUDIT_HEAD.delete())
    AuditLog(state).add(Event("bob", "login"))
    assert AuditLog(state).verify() == []
    assert [breach.said for breach in AuditLog(state, "secret").verify()] == ["line 1 was changed, or put in"]


def test_many_writers_make_one_chain(log: AuditLog) -> None:
    def write(name: str) -> None:
        mine = AuditLog(log.state)
        for number in range(10):
            mine.add(Event(name, "login", str(number)))

    threads = [threading.Thread(target=write, args=(f"user-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.verify() == []
    assert [number for number, _ in log.events()] == list(range(1, 46))


def test_two_that_begin_at_once_find_one_database(state: State) -> None:
    failures: list[Exception] = []

    def begin() -> None:
        try:
            AuditLog(state).add(Event("ann", "login"))
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(AuditLog(state).events())) == 6
