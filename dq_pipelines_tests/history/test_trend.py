"""Trends are added up by the database: as many points as asked for, however long the history, in few queries by index."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dq_pipelines.history.queries.failing_since import failing_since
from dq_pipelines.history.queries.last_runs import last_runs
from dq_pipelines.history.queries.table_status import latest_status
from dq_pipelines.history.queries.trend import column_trend, rule_trend, trend
from dq_pipelines.history.store.anomalies import anomaly_points
from dq_pipelines.history.store.metrics import BatchMetrics, ColumnMetrics
from dq_pipelines.history.store.records import ResultRecord, VerdictRecord
from dq_pipelines.history.store.verdicts import History

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def result(
    check: str,
    *,
    fails: int | None = 0,
    column: str | None = "a",
    severity: str = "critical",
    rule: str = "",
    **more: object,
) -> ResultRecord:
    score = 1.0 if fails is None else 1 - fails / 10
    given = {"element_count": 10, "missing_count": 0, "unexpected_count": fails, "score": score, "action": "warn"}
    return ResultRecord(check, rule or check, column, severity, not fails, False, **given | more)  # type: ignore[arg-type]


def verdict(day: int, *results: ResultRecord, table: str = "silver/t", **more: object) -> VerdictRecord:
    column = ColumnMetrics("a", 10, 1, mean=float(day), standard_deviation=1.0, outlier_count=day % 3)
    given: dict[str, object] = {
        "batch": f"b-{day}", "run_id": f"r-{day}", "blocked": False, "metrics": BatchMetrics(columns=(column,)),
    } | more  # fmt: skip
    return VerdictRecord(
        table, started_at=BEGAN + timedelta(days=day), duration_seconds=1.0, rows_in=10, published=8, refused=1,
        dropped=1, results=results, **given,  # type: ignore[arg-type]
    )  # fmt: skip


def test_few_runs_are_a_point_each(history: History) -> None:
    history.record(verdict(0, result("x"), result("y")))
    history.record(verdict(1, result("x", fails=5), result("y"), result("rows_accounted_for", fails=None)))
    history.record(verdict(2, result("x"), result("y"), blocked=True))
    history.record(verdict(3, result("x", fails=5, action="quarantine"), result("y")))
    found = trend(history, ["silver/t"], points=10)
    assert [(one.runs, one.bad, one.failed, one.blocked, one.score) for one in found] == [
        (1, 0, 0, 0, 100.0), (1, 1, 1, 0, 75.0), (1, 1, 1, 1, 100.0), (1, 0, 1, 0, 75.0),
    ]  # fmt: skip
    assert [one.until for one in found] == [BEGAN + timedelta(days=day) for day in range(4)]
    assert [one.run_id for one in found] == ["r-0", "r-1", "r-2", "r-3"]
    assert trend(history, ["silver/t"], since=BEGAN + timedelta(days=1, hours=1))[0].run_id == "r-2"


def test_many_runs_are_added_up_and_none_is_lost(history: History) -> None:
    for day in range(50):
        history.record(verdict(day, result("x", fails=1 if day == 25 else 0)))
        history.record(verdict(day, result("x"), table="gold/other"))
    found = trend(history, points=7)
    assert len(found) == 14
    of = [one for one in found if one.table == "silver/t"]
    assert sum(one.runs for one in of) == 50
    assert [one.runs for one in of] == [8, 7, 7, 7, 7, 7, 7]
    assert (sum(one.rows_in for one in of), sum(one.refused for one in of)) == (500, 50)
    assert [one.bad for one in of] == [0, 0, 0, 1, 0, 0, 0]
    assert min(one.worst for one in of) == 90.0
    assert of[0].since == BEGAN
    assert of[-1].until == BEGAN + timedelta(days=49)


def test_replays_and_looks_at_what_stands_are_no_points(history: History) -> None:
    history.record(verdict(0, result("x")))
    history.record(verdict(1, result("x"), batch=""))
    history.record(verdict(2, batch="p-1"))
    assert [one.run_id for one in trend(history)] == ["r-0"]


def test_a_column_and_which_of_its_runs_were_bad(history: History) -> None:
    for day in range(6):
        refused = result("z", fails=int(day == 1), action="quarantine")
        results = (result("x", fails=int(day == 4)), result("y", fails=int(day == 5), column="b"), refused)
        history.record(verdict(day, *results, partition=f"p-{day}"))
    found = column_trend(history, "silver/t", "a", points=3)
    assert [(one.runs, one.bad, one.mean, one.lowest, one.highest) for one in found] == [
        (2, 0, 0.5, 0.0, 1.0), (2, 0, 2.5, 2.0, 3.0), (2, 1, 4.5, 4.0, 5.0),
    ]  # fmt: skip
    assert [(one.outlier_count, one.count, one.null_count) for one in found] == [(1, 20, 2), (2, 20, 2), (3, 20, 2)]
    assert [one.partition for one in found] == ["p-1", "p-3", "p-5"]
    assert column_trend(history, "silver/t", "none") == []


def test_a_rule_over_time(history: History) -> None:
    for day in range(4):
        history.record(verdict(day, result("x", fails=day), result("y")))
    found = rule_trend(history, "silver/t", "x", points=2)
    assert [(one.runs, one.failed, one.unexpected_count, one.judged_count) for one in found] == [
        (2, 1, 1, 20), (2, 2, 5, 20),
    ]  # fmt: skip
    assert found[-1].worst == pytest.approx(0.7)


def test_since_when_a_rule_fails(history: History) -> None:
    """`x` fails, is mended and fails again; `y` fails from the start; `z` failed and is good now."""
    for day in range(6):
        x, z = int(day in (0, 1, 4, 5)), int(day < 3)
        history.record(verdict(day, result("x", fails=x), result("y", fails=1), result("z", fails=z)))
    assert failing_since(history, "silver/t", ["x", "y", "z"]) == {"x": BEGAN + timedelta(days=4), "y": BEGAN}
    assert failing_since(history, "silver/other", ["x"]) == {}


def test_a_partition_that_is_good_does_not_mend_another(history: History) -> None:
    for day in range(4):
        part = ("mon", "tue")[day % 2]
        history.record(verdict(day, result("x", fails=int(part == "mon")), partition=part))
    assert failing_since(history, "silver/t", ["x"]) == {"x": BEGAN}


def test_the_last_runs(history: History) -> None:
    for day in range(5):
        history.record(verdict(day, result("x", fails=day), result("y", severity="warning") if day else result("y")))
    kinds: list[dict[str, Any]] = [
        {"action": "drop"}, {"action": "warn"}, {"action": "quarantine", "blocks": True},
        {"action": "quarantine", "error": "no"}, {"action": None, "unexpected_count": None}, {"action": None},
    ]  # fmt: skip
    for number, more in enumerate(kinds):
        history.record(verdict(number, replace(result("x", fails=1), **more), table="gold/kinds"))
        [state] = latest_status(history, "gold/kinds").rules  # type: ignore[union-attr]
        assert [one.status for one in last_runs(history, ["gold/kinds"], 1)] == [
            "warning" if number in (0, 5) else "failing"
        ], "the same as of the rule, but for a verdict that says itself whether it is blocked"
        assert state.status == ("warning" if number in (0, 5) else "blocked" if number == 2 else "failing")
    history.record(verdict(5, table="gold/other"))
    found = last_runs(history, ["silver/t"], 2)
    assert [(one.run_id, one.failed, one.critical, one.rules, one.score) for one in found] == [
        ("r-4", 1, 1, 2, 80.0), ("r-3", 1, 1, 2, 85.0),
    ]  # fmt: skip
    assert [one.table for one in last_runs(history, limit=2)] == ["gold/other", "gold/kinds"]
    assert last_runs(history, ["gold/other"])[0].score == 100.0


def test_anomalies_batch_by_batch(history: History) -> None:
    seen = {"value": 5, "expected": 10.0, "lower": 8, "upper": 12, "score": 0.9, "note": "low"}
    for day, said in enumerate([{"value": 9, "note": "not enough history: 1 of 14 points"}, seen, "odd"]):
        held = result("anomaly_row_count", fails=None, column=None, observed_value=said, rule="anomaly")
        history.record(verdict(day, *([] if day == 3 else [held])))
    ((first, second, odd),) = anomaly_points(history, "silver/t")
    assert (first.value, first.lower, first.note) == (9.0, None, "not enough history: 1 of 14 points")
    assert (second.value, second.expected, second.lower, second.upper, second.score) == (5.0, 10.0, 8.0, 12.0, 0.9)
    assert (odd.value, second.name) == (None, "row count")
    assert [len(points) for points in anomaly_points(history, "silver/t", limit=2)] == [2]
    assert (
        replace(second, check="anomaly_null_share_unit_price", column="unit price").name == "null share of unit price"
    )
