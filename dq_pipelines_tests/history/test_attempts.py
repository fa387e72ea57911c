"""Attempts: what was written of each run and table, which of them counts, and what status follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from dq_pipelines.history.queries.change_token import change_token
from dq_pipelines.history.queries.table_status import latest_status
from dq_pipelines.history.store.attempts import Attempt, Attempts, last_attempts
from dq_pipelines.history.store.records import ResultRecord, VerdictRecord
from dq_pipelines.history.store.status import (
    ALARMING,
    OUTCOMES,
    STATUSES,
    WORDS,
    RuleStatus,
    is_failure,
    rule_status,
    table_status,
)
from dq_pipelines.history.store.verdicts import History

MOMENT = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
BEGUN = Attempt("silver/orders", None, "run-1", MOMENT)


def test_what_was_written_last_of_a_run_and_a_table_is_what_is_known(history: History) -> None:
    attempts = Attempts(history)
    attempts.record(BEGUN)
    attempts.record(replace(BEGUN, partition="mon"))
    assert [one.outcome for one in attempts.running()] == ["running", "running"]
    ended = BEGUN.ended("failed", MOMENT + timedelta(seconds=5), "the source is gone", "b-1")
    attempts.record(ended)
    assert attempts.of_run("run-1") == [ended, replace(BEGUN, partition="mon")]
    assert attempts.counts() == {("silver/orders", "failed"): 1}
    assert [one.partition for one in attempts.running()] == ["mon"]


def test_the_last_attempt_of_each_partition_counts_unless_it_was_cancelled(history: History) -> None:
    attempts = Attempts(history)
    for number, (partition, outcome, recheck) in enumerate(
        [
            ("mon", "failed", False),
            ("mon", "cancelled", False),
            ("tue", "failed", False),
            ("tue", "published", False),
            ("tue", "failed", True),
            ("wed", "running", False),
        ]
    ):
        at = MOMENT + timedelta(minutes=number)
        one = replace(BEGUN, partition=partition, run_id=f"run-{number}", started_at=at, recheck=recheck)
        attempts.record(one if outcome == "running" else one.ended(outcome, at))  # type: ignore[arg-type]
    found = last_attempts(history)["silver/orders"]
    assert {one.partition: one.outcome for one in found} == {"mon": "failed", "tue": "published"}
    # One that is written down late is of its own time still.
    late = replace(BEGUN, partition="tue", run_id="killed", started_at=MOMENT - timedelta(days=1))
    attempts.record(late.ended("failed", MOMENT))
    assert last_attempts(history)["silver/orders"] == found
    assert last_attempts(history, ["silver/others"]) == {}


def test_pages_and_a_watcher_s_token(history: History) -> None:
    tokens = {change_token(history)}
    for number in range(5):
        one = replace(BEGUN, run_id=f"run-{number}", started_at=MOMENT + timedelta(minutes=number))
        for written in (one, one.ended("published", one.started_at + timedelta(seconds=1))):
            Attempts(history).record(written)
            tokens.add(change_token(history, ["silver/orders"]))
    assert len(tokens) == 11, "each attempt that begins or ends is news"
    first = Attempts(history).page(["silver/orders"], 3)
    second = Attempts(history).page(["silver/orders"], 3, first[-1][0])
    assert [one.run_id for _, one in (*first, *second)] == [f"run-{number}" for number in (4, 3, 2, 1, 0)]


def test_a_history_of_an_earlier_release_is_read(history: History) -> None:
    failing = ResultRecord("between", "between", "a", "critical", False, False, 3, 0, 2)
    verdict = VerdictRecord("gold/a", "g-1", "run-1", MOMENT, 1.0, 3, 1, 2, 0, False, results=(failing,))
    history.record(verdict)
    with history.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE dq_attempts")
        for table, column in (("dq_verdicts", "replaces"), ("dq_results", "action"), ("dq_results", "mostly")):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.exec_driver_sql("DROP TABLE dq_schema_versions")
    later = History(history.url)
    found = latest_status(later, "gold/a")
    assert found is not None
    assert (found.status, found.verdicts[0].rebuilds, found.rules[0].one.refuses) == ("warning", True, True)
    Attempts(later).record(BEGUN)
    later.record(replace(verdict, run_id="run-2"))
    later.engine.dispose()


# --- the words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"is_judged": False}, "never_run"),
        ({}, "healthy"),
        ({"failing": {"warning"}}, "warning"),
        ({"failing": {"warning", "failing"}}, "failing"),
        ({"is_blocked": True, "failing": {"blocked"}}, "blocked"),
        ({"attempt": "waiting", "failing": {"warning"}}, "blocked"),
        ({"attempt": "failed", "is_blocked": True}, "error"),
        ({"attempt": "failed", "is_judged": False}, "error"),
        ({"attempt": "nothing_new", "is_judged": False}, "never_run"),
    ],
)
def test_the_worst_that_applies_is_the_status(given: dict[str, object], wanted: str) -> None:
    assert table_status(**{"is_judged": True, "is_blocked": False, "failing": (), **given}) == wanted  # type: ignore[arg-type]


def test_no_table_is_healthy_that_was_not_judged_or_of_which_anything_fails() -> None:
    statuses: tuple[set[RuleStatus], ...] = (set(), {"warning"}, {"failing"}, {"warning", "blocked"})
    for judged, blocked, failing, attempt in product((True, False), (True, False), statuses, (None, *OUTCOMES)):
        found = table_status(is_judged=judged, is_blocked=blocked, failing=failing, attempt=attempt)
        well = judged and not blocked and not failing and attempt not in ("failed", "waiting")
        assert (found == "healthy") == well
        assert (found in ALARMING) == (
            blocked or bool({"failing", "blocked"} & failing) or attempt in ("failed", "waiting")
        )


def test_refused_rows_are_a_warning_and_published_ones_that_break_a_critical_rule_a_failure() -> None:
    for severity, blocks, aside in product(("critical", "warning", "info"), (True, False), (True, False)):
        failure = is_failure(severity=severity, blocks=blocks, sets_aside=aside)
        assert failure == (blocks or (severity == "critical" and not aside))
        status = rule_status(success=False, blocks=blocks, severity=severity, sets_aside=aside)
        assert (status in ("failing", "blocked")) == failure
        assert rule_status(success=True, blocks=blocks, severity=severity, sets_aside=aside) == "passed"


def test_each_word_can_be_said() -> None:
    assert {*STATUSES, *OUTCOMES} <= WORDS.keys()
    assert WORDS["never_run"] == "never run"


def test_an_attempt_at_what_the_table_has_no_more_counts_no_more(history: History) -> None:
    """A run that names no partition is refused, and so is one by partitions that the table was not published by."""
    cases = [
        ([(None, "failed"), ("mon", "published")], ["mon"]),
        ([("mon", "published"), (None, "failed")], [None, "mon"]),
        ([("mon", "failed"), (None, "published")], [None]),
        ([("mon", "failed"), (None, "nothing_new"), (None, "failed")], [None, "mon"]),
    ]
    for number, (tried, wanted) in enumerate(cases):
        for minute, (partition, outcome) in enumerate(tried):
            at = MOMENT + timedelta(minutes=minute)
            one = replace(BEGUN, table=f"silver/{number}", partition=partition, run_id=f"run-{minute}", started_at=at)
            Attempts(history).record(one.ended(outcome, at))  # type: ignore[arg-type]
        stands = latest_status(history, f"silver/{number}")
        assert stands is not None
        assert sorted((one.partition for one in stands.attempts), key=str) == wanted, tried
