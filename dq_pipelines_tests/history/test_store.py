"""History: what was recorded is what is remembered, on SQLite and on PostgreSQL, whoever else is writing."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dq_pipelines.errors import PublishError
from dq_pipelines.history.store.records import ResultRecord, VerdictRecord
from dq_pipelines.history.store.verdicts import History

MOMENT = datetime(2026, 11, 1, 12, 30, 15, 123456, tzinfo=UTC)
RESULTS = (
    ResultRecord("between__a", "expect_between", "a", "critical", False, True, 10, 1, 2, None, None, "f" * 16, 0.75),
    ResultRecord("rows", "expect_rows", None, "info", True, False, observed_value={"ä": [1, None, 2.5]}),
    ResultRecord("broken", "expect_sql", None, "warning", False, False, error='no "such" column'),
)
VERDICT = VerdictRecord("silver/orders", "b-1", "run-1", MOMENT, 1.5, 10, 7, 2, 1, False, None, RESULTS)


def by_check(verdict: VerdictRecord | None) -> VerdictRecord:
    assert verdict is not None
    return replace(verdict, results=tuple(sorted(verdict.results, key=lambda result: result.check)))


def test_what_was_recorded_is_remembered(history: History) -> None:
    history.record(VERDICT)
    assert by_check(history.latest("silver/orders")) == by_check(VERDICT)
    assert history.latest("silver/other") is None


def test_a_moment_elsewhere_is_the_same_moment(history: History) -> None:
    from zoneinfo import ZoneInfo

    history.record(replace(VERDICT, started_at=MOMENT.astimezone(ZoneInfo("Asia/Tokyo"))))
    assert by_check(history.latest("silver/orders")).started_at == MOMENT


def test_the_same_verdict_twice_is_one(history: History) -> None:
    history.record(VERDICT)
    history.record(replace(VERDICT, published=8, results=RESULTS[:1]))
    [only] = history.of_table("silver/orders")
    assert only.published == 8
    assert only.results == RESULTS[:1]


def test_the_latest_is_the_last_recorded(history: History) -> None:
    for number in range(5):
        history.record(
            replace(VERDICT, batch=f"b-{number}", rows_in=number, started_at=MOMENT - timedelta(hours=number))
        )
    assert by_check(history.latest("silver/orders")).rows_in == 4
    assert [verdict.rows_in for verdict in history.of_table("silver/orders", limit=3)] == [4, 3, 2]


def test_of_a_partition_and_of_a_batch(history: History) -> None:
    history.record(replace(VERDICT, partition="mon", rows_in=1))
    history.record(replace(VERDICT, batch="b-2", partition="tue", rows_in=2))
    history.record(replace(VERDICT, batch="", run_id="checks", rows_in=3))
    assert by_check(history.latest("silver/orders", "mon")).rows_in == 1
    assert by_check(history.latest("silver/orders")).rows_in == 3


def test_many_writers(history: History) -> None:
    def record(number: int) -> None:
        mine = History(history.url)
        for batch in range(5):
            mine.record(replace(VERDICT, batch=f"b-{batch}", run_id=f"run-{number}"))

    history.record(VERDICT)  # the tables are there
    writers = [threading.Thread(target=record, args=[number]) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    verdicts = history.of_table("silver/orders", limit=100)
    assert len({(verdict.batch, verdict.run_id) for verdict in verdicts}) == len(verdicts) == 20
    assert all(len(verdict.results) == len(RESULTS) for verdict in verdicts)


def test_two_first_ones_at_once(tmp_path: Path) -> None:
    """Each makes the tables if they are not there; neither trips over the other."""
    for attempt in range(5):
        failures: list[BaseException] = []
        start = threading.Barrier(2)

        def record(number: int, url: str, start: threading.Barrier, failures: list[BaseException]) -> None:
            start.wait()
            try:
                History(url).record(replace(VERDICT, run_id=f"run-{number}"))
            except PublishError as error:
                failures.append(error)

        url = f"sqlite:///{tmp_path}/{attempt}.db"
        writers = [threading.Thread(target=record, args=[number, url, start, failures]) for number in range(2)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert failures == []
        assert len(History(url).of_table("silver/orders")) == 2


def test_a_database_that_cannot_be_reached(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PublishError, match=r"history at sqlite:.*: wanted a database to write, got"):
        History(f"sqlite:///{tmp_path}/file/history.db").record(VERDICT)


def test_a_password_is_not_shown() -> None:
    with pytest.raises(PublishError) as caught:
        History("postgresql+psycopg2://ada:secret@127.0.0.1:1/none").record(VERDICT)
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


@pytest.mark.parametrize(
    ("scores", "wanted"), [((), 100.0), ((1.0,), 100.0), ((1.0, 0.0), 50.0), ((0.75, 0.25, 0.5), 50.0)]
)
def test_the_score_is_the_mean_of_the_rules(scores: tuple[float, ...], wanted: float) -> None:
    results = tuple(replace(RESULTS[0], check=str(number), score=score) for number, score in enumerate(scores))
    accounts = replace(RESULTS[0], check="rows_accounted_for", rule="rows_accounted_for", score=1.0)
    assert replace(VERDICT, results=(*results, accounts)).score == wanted
