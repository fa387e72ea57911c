"""Verdicts that a report tells of, in a history of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dq_pipelines.history.store.records import ResultRecord, VerdictRecord
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.rules.core import clock

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _the_clock_stands() -> Iterator[None]:
    with clock.at(NOW):
        yield


def result(rule: str, column: str | None = None, *, severity: str = "critical", **more: Any) -> ResultRecord:
    given = {"success": True, "blocks": False, "element_count": 100, "missing_count": 0, "unexpected_count": 0, **more}
    return ResultRecord(f"{rule}__{column}" if column else rule, rule, column, severity, **given)


def verdict(table: str, *results: ResultRecord, minutes: float = 5, **more: Any) -> VerdictRecord:
    given: dict[str, Any] = {
        "batch": "b-1", "run_id": "run", "duration_seconds": 1.0, "rows_in": 100, "published": 97, "refused": 2,
        "dropped": 1, "blocked": False, **more,
    }  # fmt: skip
    return VerdictRecord(table, started_at=NOW - timedelta(minutes=minutes), results=results, **given)


NULLS = result("expect_column_values_to_not_be_null", "customer", success=False, missing_count=0, unexpected_count=2)


MEAN = result(
    "expect_column_mean_to_be_between", "amount", severity="warning", success=False, element_count=None,
    missing_count=None, unexpected_count=None, observed_value=12.5,
)  # fmt: skip


TOLERATED = result("expect_column_values_to_exist_in", "shop", severity="warning", missing_count=50, unexpected_count=5)


PASSED = result("expect_column_values_to_be_unique", "id")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(f"sqlite:///{tmp_path}/lake/history.db")


@pytest.fixture
def partitioned(history: History) -> History:
    for number, minutes in ((1, 30), (2, 20), (3, 10)):
        mean = result(
            MEAN.rule,
            "value",
            severity="warning",
            success=number != 2,
            unexpected_count=None,
            observed_value=20.0 + number,
        )
        nulls = result(NULLS.rule, "value", success=number == 1, unexpected_count=number - 1)
        part = {"partition": f"run_{number}", "batch": f"b-{number}", "run_id": f"r-{number}"}
        history.record(verdict("silver/readings", mean, nulls, minutes=minutes, **part))
    return history
