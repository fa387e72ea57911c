"""Series: one point a batch, of its last verdict, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dq_pipelines.history.queries.series import METRICS, columns_measured, series
from dq_pipelines.history.store.metrics import BatchMetrics, ColumnMetrics
from dq_pipelines.history.store.records import ANOMALY, ResultRecord, VerdictRecord
from dq_pipelines.history.store.verdicts import History

pytestmark = pytest.mark.slow

MOMENT = datetime(2026, 11, 1, 12, tzinfo=UTC)
AMOUNT = ColumnMetrics("amount", 10, 2, 4.0, 1.0, 9.0, 5.0, 2.5, outlier_count=1)
NAME = ColumnMetrics("name", 10, 0, 10.0, min_length=2, mean_length=3.5, max_length=7)
RULE = ResultRecord("between__a", "expect_between", "a", "critical", False, False, 10, 0, 2, score=0.8)


def verdict(
    batch: str, day: int = 0, *, run: str = "run", rows: int = 10, partition: str | None = None
) -> VerdictRecord:
    metrics = BatchMetrics(bytes=100 + day, cpu_seconds=0.5, columns=(NAME, replace(AMOUNT, mean=5.0 + day)))
    return VerdictRecord(
        table="silver/orders",
        batch=batch,
        run_id=run,
        started_at=MOMENT + timedelta(days=day),
        duration_seconds=1.5,
        rows_in=rows,
        published=rows - 2,
        refused=2,
        dropped=0,
        blocked=False,
        partition=partition,
        results=(RULE, replace(RULE, check="anomaly_x", rule=ANOMALY, score=0.0)),
        metrics=metrics,
    )


def values(history: History, metric: str, column: str | None = None) -> list[float]:
    return [point.value for point in series(history, "silver/orders", metric, column)]


def test_a_series_has_a_point_for_each_batch(history: History) -> None:
    for day in range(3):
        history.record(verdict(f"b-{day}", day, rows=10 + day))
    points = series(history, "silver/orders", "row_count")
    assert [(point.at, point.value, point.batch) for point in points] == [
        (MOMENT + timedelta(days=day), 10.0 + day, f"b-{day}") for day in range(3)
    ]
    assert values(history, "mean", "amount") == [5.0, 6.0, 7.0]
    assert values(history, "bytes") == [100.0, 101.0, 102.0]
    assert values(history, "null_share", "amount") == [0.2] * 3
    assert values(history, "distinct_share", "amount") == [0.5] * 3
    assert values(history, "refused_share") == pytest.approx([2 / 10, 2 / 11, 2 / 12])
    # what holds a batch against earlier ones is no quality of its rows
    assert values(history, "quality_score") == pytest.approx([80.0] * 3)
    assert values(history, "mean", "nobody") == []
    assert series(history, "silver/orders", "row_count", limit=2) == points[1:]
    assert series(history, "silver/orders", "row_count", since=MOMENT + timedelta(hours=1)) == points[1:]
    assert series(history, "silver/orders", "row_count", until=MOMENT + timedelta(days=1)) == points[:2]


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_metric_can_be_read(history: History, metric: object) -> None:
    history.record(verdict("b-1"))
    name = metric.name  # type: ignore[attr-defined]
    assert len(series(history, "silver/orders", name, "amount")) <= 1


def test_of_a_batch_the_last_verdict_counts(history: History) -> None:
    history.record(verdict("b-1", rows=10, run="blocked"))
    history.record(verdict("b-1", 1, rows=11, run="mended"))
    assert values(history, "row_count") == [11.0]
    # a partition's batch may have the name of another's
    history.record(verdict("b-1", 2, rows=5, run="of p", partition="p"))
    assert values(history, "row_count") == [11.0, 5.0]
    assert [point.value for point in series(history, "silver/orders", "row_count", partition="p")] == [5.0]


@pytest.mark.parametrize("batch", ["", "p-0123", "r-0123-rerun"])
def test_what_is_no_batch_is_no_point(history: History, batch: str) -> None:
    history.record(verdict("b-1"))
    history.record(verdict(batch, 1))
    assert values(history, "row_count") == [10.0]


def test_recording_again_replaces_the_metrics(history: History) -> None:
    history.record(verdict("b-1"))
    history.record(verdict("b-1"))
    assert values(history, "mean", "amount") == [5.0]
    assert columns_measured(history, "silver/orders") == {"name": False, "amount": True}
    assert columns_measured(history, "silver/other") == {}


def test_a_verdict_keeps_its_metrics_as_a_line() -> None:
    record = verdict("b-1")
    assert VerdictRecord.from_json(record.as_json()) == record


def test_a_metric_that_is_none_is_refused(history: History) -> None:
    with pytest.raises(KeyError):
        series(history, "silver/orders", "speed")
