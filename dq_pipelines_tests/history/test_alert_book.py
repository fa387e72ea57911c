"""The book of alerts, what was read, and sums over batches: on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dq_pipelines.history.alerts.alert import Alert, Notification
from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines.history.alerts.run_cursor import RunsRead
from dq_pipelines.history.queries.totals import DURATIONS, last_measured, totals
from dq_pipelines.history.store.metrics import BatchMetrics
from dq_pipelines.history.store.records import VerdictRecord
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.history.value_erasure import forget

NOW = datetime(2026, 5, 4, 3, 2, 1, 500_000, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE = Alert("check_failed", "silver/a", "c", "mon", "warning", 10**12, "no", "r1", NOW)


@pytest.fixture
def book(history: History) -> AlertBook:
    found = AlertBook(history)
    with history.engine.begin() as connection:
        for name in ("dq_alerts_told", "dq_alerts", "dq_runs_read"):
            connection.execute(sa.text(f"DELETE FROM {name}"))  # noqa: S608 - one of these three
    return found


def test_what_is_written_is_read(book: AlertBook) -> None:
    other = replace(ONE, partition=None, name="", opened_at=NOW + HOUR)
    book.write([ONE, other], NOW, run_id="r1")
    first, second = book.open()
    assert (replace(first, number=0), replace(second, number=0)) == (ONE, other)
    assert book.read.remembered() == {"r1"}
    assert RunsRead("another", book.history).remembered() == set()
    book.write([replace(first, closed_at=NOW + HOUR, closed_by="r2")], NOW)
    assert [alert.number for alert in book.open()] == [second.number]
    assert {alert.number for alert in book.since(NOW + HOUR)} == {first.number, second.number}
    assert {alert.number for alert in book.since(NOW + 2 * HOUR)} == {second.number}


def test_what_was_told_is_kept_by_channel(book: AlertBook) -> None:
    book.write([ONE, replace(ONE, name="d")], NOW)
    first, second = (alert.number for alert in book.open())
    book.tell("team", [first], [], NOW)
    book.tell("team", [first], [second], NOW + HOUR)
    book.tell("office", [], [first], NOW)
    assert book.told("team") == {first: Notification(NOW + HOUR), second: Notification(NOW + HOUR, NOW + HOUR)}
    assert book.told("office") == {first: Notification(NOW, NOW)}
    assert book.channels() == {first: ["office", "team"], second: ["team"]}


def test_what_is_long_closed_is_forgotten(book: AlertBook) -> None:
    book.write([replace(ONE, closed_at=NOW), replace(ONE, name="d", closed_at=NOW + HOUR), replace(ONE, name="e")], NOW)
    book.tell("team", [], [alert.number for alert in book.since(NOW)], NOW)
    book.forget(NOW + HOUR)
    assert [alert.name for alert in book.since(NOW - HOUR)] == ["d", "e"]
    assert len(book.told("team")) == 2


def test_an_erasure_takes_the_sentences(book: AlertBook) -> None:
    of_another = replace(ONE, about="silver/b", said="b")
    book.write([replace(ONE, said="observed Ada Lovelace"), of_another], NOW)
    assert forget(book.history, ["silver/a"], lambda _, __: False, lambda _: False).alerts == 1
    assert [alert.said for alert in book.open()] == ["erased", "b"]
    if book.history.url.startswith("sqlite"):
        folder = Path(book.history.url.removeprefix("sqlite:///")).parent
        assert not [path for path in folder.iterdir() if b"Lovelace" in path.read_bytes()]


def test_runs_that_were_read_long_ago_are_forgotten(book: AlertBook) -> None:
    for run_id, at in (("old", NOW - HOUR), ("new", NOW), ("new", NOW)):
        with book.history.engine.begin() as connection:
            book.read.mark(connection, run_id, at)
    book.read.forget(NOW)
    assert book.read.remembered() == {"new"}


def test_sums_over_batches(history: History) -> None:
    one = VerdictRecord("silver/a", "b1", "r1", NOW, 3.0, rows_in=10, published=7, refused=2, dropped=1, blocked=False)
    measured = BatchMetrics(bytes=5, freshness_seconds=60.0, judging_seconds=2.0, cpu_seconds=4.0, peak_memory_bytes=9)
    history.record(replace(one, metrics=measured))
    history.record(replace(one, batch="b2", run_id="r2", started_at=NOW + HOUR, blocked=True, duration_seconds=70.0))
    history.record(replace(one, batch="b3", partition="mon", duration_seconds=5.0, metrics=measured))
    for batch in ("", "p-1", "x-rerun"):  # as it stood, a replay, a rerun
        history.record(replace(one, batch=batch, run_id="r3", rows_in=1000, metrics=replace(measured, bytes=1000)))
    found = totals(history)["silver/a"]
    assert (found.published_batches, found.blocked_batches) == (2, 1)
    assert (found.rows_in, found.published, found.refused, found.dropped) == (20, 14, 4, 2)
    assert dict(zip(DURATIONS, found.durations, strict=True)) == {1: 0, 5: 2, 15: 2, 60: 2, 300: 3, 900: 3, 3600: 3}
    assert (found.duration_seconds, found.cpu_seconds) == (78.0, 8.0)
    assert found.stage_seconds == {"landing": 0.0, "judging": 4.0, "committing": 0.0}
    assert found.last_published_at == NOW
    last = last_measured(history)["silver/a"]
    assert (last.began_at, last.bytes, last.freshness_seconds, last.peak_memory_bytes) == (NOW, 5, 60.0, 9)


def test_a_history_that_has_not_begun_is_not_made_by_asking(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("nothing")
    assert totals(History(f"sqlite:///{root}/history.db")) == {}
    assert last_measured(History(f"sqlite:///{root}/history.db")) == {}
    assert not list(root.iterdir())
