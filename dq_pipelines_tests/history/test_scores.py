"""Scores by dimension: means of means, by hand."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from dq_pipelines.history.queries.scores import score_of, score_of_all
from dq_pipelines.history.queries.series import DIMENSIONS, series
from dq_pipelines.history.queries.table_status import TableStatus, latest_status
from dq_pipelines.history.store.records import ANOMALY
from dq_pipelines.history.store.verdicts import History

from .test_series import RULE, verdict

FULL = replace(RULE, check="full", score=1.0, dimension="completeness")
HALF = replace(RULE, check="half", score=0.5, dimension="completeness")
VALID = replace(RULE, check="valid", score=0.9, dimension="validity")
BESIDE = replace(RULE, check="beside", rule=ANOMALY, score=0.0, dimension="validity")


def test_a_dimension_is_the_mean_of_its_rules() -> None:
    score = score_of(TableStatus("silver/orders", (replace(verdict("b"), results=(FULL, HALF, VALID, BESIDE)),)))
    assert score is not None
    assert score.total == pytest.approx(80)
    assert score.dimensions == pytest.approx({"completeness": 75, "validity": 90})


def test_partitions_count_as_they_have_rows() -> None:
    parts = (
        replace(verdict("b-1", rows=30, partition="a"), results=(HALF,)),
        replace(verdict("b-2", rows=10, partition="b"), results=(FULL, VALID)),
    )
    score = score_of(TableStatus("silver/orders", parts))
    assert score is not None
    assert score.dimensions == pytest.approx({"completeness": (30 * 50 + 10 * 100) / 40, "validity": 90})


def test_a_domain_is_the_mean_of_its_tables() -> None:
    one = TableStatus("silver/a", (replace(verdict("b"), results=(HALF,)),))
    other = TableStatus("silver/b", (replace(verdict("b"), results=(FULL, VALID)),))
    score = score_of_all(map(score_of, [one, other]))
    assert score is not None
    assert score.total == pytest.approx((50 + 95) / 2)
    assert score.dimensions == pytest.approx({"completeness": 75, "validity": 90})
    assert score_of_all([]) is None


def test_dimensions_are_series_too(history: History) -> None:
    history.record(replace(verdict("b-1"), results=(FULL, HALF, VALID)))
    history.record(replace(verdict("b-2", 1), results=(FULL,)))
    points = {name: [p.value for p in series(history, "silver/orders", f"{name}_score")] for name in DIMENSIONS}
    assert points["completeness"] == [75, 100]
    assert points["validity"] == [90]
    assert points["timeliness"] == []
    found = latest_status(history, "silver/orders")
    assert found is not None
    score = score_of(found)
    assert score is not None
    assert score.dimensions == {"completeness": 100}
    assert score_of(TableStatus("silver/never_judged", ())) is None


def test_a_database_of_an_earlier_release_is_brought_up_to_date(tmp_path: Path) -> None:
    history = History(f"sqlite:///{tmp_path}/history.db")
    history.record(verdict("b-1"))
    with sqlite3.connect(tmp_path / "history.db") as old:
        old.execute("ALTER TABLE dq_results DROP COLUMN dimension")
        old.execute("DROP TABLE dq_schema_versions")
        old.execute("DROP INDEX dq_verdicts_batches")
        old.execute("DROP TABLE dq_column_metrics")
    old.close()
    again = History(history.url)
    assert [point.value for point in series(again, "silver/orders", "row_count")] == [10]
    again.record(replace(verdict("b-2", 1), results=(FULL,)))
    assert [point.value for point in series(again, "silver/orders", "completeness_score")] == [100]
