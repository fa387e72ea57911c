"""The audit log: what was changed, removed or put in is found, on SQLite and on PostgreSQL, whoever else is writing."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any

import pytest
import sqlalchemy as sa

from dq_pipelines.errors import ConfigError
from dq_pipelines.security.audit import BEGINNING, AuditLog, Event
from dq_pipelines.security.audit_verify import verify
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
    return [breach.message for breach in verify(log)]


def test_a_log_as_it_was_written_is_whole(log: AuditLog) -> None:
    assert verify(log) == []
    assert [(number, event.on) for number, event in log.events()][:2] == [(1, "run-1"), (2, "run-2")]
    assert next(log.events())[1].more == {"table": "ä"}


def test_a_changed_line_is_found(log: AuditLog) -> None:
    line = sa.func.replace(AUDIT.c.line, "ann", "bob")
    assert tampered(log, AUDIT.update().where(AUDIT.c.number == 3).values(line=line)) == [
        "line 3 was changed or inserted"
    ]


def test_a_removed_line_is_found(log: AuditLog) -> None:
    assert tampered(log, AUDIT.delete().where(AUDIT.c.number == 3))[0] == "lines 3 to 3 were removed"
    assert "lines 5 to 5 were removed" in tampered(log, AUDIT.delete().where(AUDIT.c.number == 5))


def test_a_line_that_was_put_in_is_found(log: AuditLog) -> None:
    assert tampered(log, AUDIT.insert().values(number=6, line="{}", hash="0" * 64)) == [
        "line 6 was changed or inserted",
        "the last line is 6, but line 5 was written last",
    ]


def chained_anew(log: AuditLog, lines: list[str]) -> None:
    """What somebody can do who writes to the database and has not the key: a chain and a head as earlier releases made them."""
    before = BEGINNING
    with log.engine.begin() as connection:
        connection.execute(AUDIT.delete())
        connection.execute(AUDIT_HEAD.delete())
        for number, line in enumerate(lines, 1):
            before = hashlib.sha256(f"{before}\n{number}\n{line}".encode()).hexdigest()
            connection.execute(AUDIT.insert().values(number=number, line=line, hash=before))
        connection.execute(AUDIT_HEAD.insert().values(one=1, number=len(lines), hash=before))


def test_a_chain_that_was_made_anew_without_the_key_is_found(log: AuditLog) -> None:
    with log.engine.connect() as connection:
        lines = list(connection.execute(sa.select(AUDIT.c.line)).scalars())
    chained_anew(log, [line.replace("ann", "bob") for line in lines])
    said = [breach.message for breach in verify(log)]
    assert "line 1 differs from its anchor: the log was rewritten" in said
    assert "the head, which says that line 5 is the last one, is signed by no known key" in said


def test_a_log_that_was_cut_with_its_head_is_found(log: AuditLog) -> None:
    with log.engine.connect() as connection:
        third = connection.execute(AUDIT.select().where(AUDIT.c.number == 3)).mappings().one()
    assert tampered(
        log,
        AUDIT.delete().where(AUDIT.c.number > 3),
        AUDIT_HEAD.update().values(number=3, hash=third["hash"]),
    ) == [
        "the head, which says that line 3 is the last one, was changed",
        "lines 4 to 5, which were anchored, were removed",
    ]


def test_a_log_whose_anchor_was_cut_too_is_found_by_its_head(log: AuditLog) -> None:
    with log.engine.connect() as connection:
        third = connection.execute(AUDIT.select().where(AUDIT.c.number == 3)).mappings().one()
    path = log.state.folder / "audit.anchor"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    assert tampered(
        log,
        AUDIT.delete().where(AUDIT.c.number > 3),
        AUDIT_HEAD.update().values(number=3, hash=third["hash"]),
    ) == ["the head, which says that line 3 is the last one, was changed"]


def test_a_log_that_was_put_back_to_an_older_copy_is_found_by_its_anchor(state: State) -> None:
    log = AuditLog(state)
    log.add(Event("ann", "login"))
    with log.engine.connect() as connection:
        kept = [dict(row) for row in connection.execute(AUDIT_HEAD.select()).mappings()]
    log.add(Event("mallory", "erase"))
    found = tampered(
        log, AUDIT.delete().where(AUDIT.c.number > 1), AUDIT_HEAD.delete(), AUDIT_HEAD.insert().values(kept)
    )
    assert found == ["lines 2 to 2, which were anchored, were removed"]


def test_an_end_that_was_replaced_is_found(log: AuditLog) -> None:
    path = log.state.folder / "audit.anchor"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], lines[4].replace("5", "4", 1), "nonsense"]) + "\n")
    said = [breach.message for breach in verify(log)]
    assert said[:2] == ["line 5 of the anchor was changed or inserted", "line 6 of the anchor is invalid"]


def test_an_anchor_that_was_removed_is_found_on_one_machine(log: AuditLog) -> None:
    (log.state.folder / "audit.anchor").unlink()
    alone = log.engine.dialect.name == "sqlite"
    assert [breach.message for breach in verify(log)] == [
        "the anchor has no entry for lines 1 to 5: it was truncated"
    ] * alone
    log.add(Event("ann", "login"))
    assert [breach.message for breach in verify(log)] == [
        "the anchor has no entry for lines 1 to 5: it was truncated"
    ] * alone


def test_an_anchor_that_cannot_be_written_loses_no_line_and_is_told(
    log: AuditLog, capsys: pytest.CaptureFixture[str]
) -> None:
    path = log.state.folder / "audit.anchor"
    path.rename(path.with_suffix(".kept"))
    path.mkdir()
    assert log.add(Event("ann", "login")) == 6
    assert "audit log: line 6 is written, but not anchored" in capsys.readouterr().err
    path.rmdir()
    path.with_suffix(".kept").rename(path)
    assert verify(log) == []


def test_lines_of_an_earlier_release_are_gone_on_with(state: State) -> None:
    log = AuditLog(state)
    lines = [json.dumps({"who": "ann", "what": "login", "at": "2026-01-01T00:00:00+00:00"})] * 2
    chained_anew(log, lines)
    assert verify(log) == []
    log.add(Event("ann", "launch"))
    assert verify(log) == []
    assert [event.what for _, event in log.events()] == ["login", "login", "launch"]
    assert tampered(log, AUDIT.update().where(AUDIT.c.number == 3).values(key_id=None))[0] == (
        "line 3 was changed or inserted"
    )


def test_keys_follow_one_another_and_each_verifies_its_own(log: AuditLog) -> None:
    first = log.keys.newest()
    second = log.rotate_key("ann", "cli")
    assert first != second == log.keys.newest()
    log.add(Event("ann", "login"))
    assert verify(log) == []
    with log.engine.connect() as connection:
        used = list(connection.execute(sa.select(AUDIT.c.key_id).order_by(AUDIT.c.number)).scalars())
    assert used == [first.id] * 6 + [second.id] * 2
    (log.state.folder / "audit.keys").write_text(f"{second.secret}\n")
    assert [breach.message for breach in verify(log)] == [
        f"line 1 is signed by the key {first.id}, which is missing here"
    ]


def test_the_environments_key_signs_and_its_older_ones_verify(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DQ_AUDIT_KEY", "first-key-of-ours")
    log.add(Event("ann", "login"))
    monkeypatch.setenv("DQ_AUDIT_KEY", "second-key-of-ours first-key-of-ours")
    log.add(Event("ann", "login"))
    assert verify(log) == []
    with pytest.raises(ConfigError, match="found DQ_AUDIT_KEY set: set it to `NEW OLD`"):
        log.rotate_key("ann", "cli")
    log.check()
    monkeypatch.setenv("DQ_AUDIT_KEY", "another")
    with pytest.raises(ConfigError, match="give each server the same DQ_AUDIT_KEY, or the same DQ_STATE"):
        log.check()


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
    assert verify(log) == []
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
