"""Reads the results of anomaly rules, batch by batch: the metric's value and its expected range."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dq_pipelines.history.store.records import ANOMALY
from dq_pipelines.history.store.schema import RESULTS, VERDICTS
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True)
class AnomalyPoint:
    """The result of one anomaly rule for one batch."""

    check: str
    column: str | None
    at: datetime
    run_id: str
    success: bool
    value: float | None
    #: the expected value and range; None where there was not enough history
    expected: float | None = None
    lower: float | None = None
    upper: float | None = None
    #: 0 to 1
    score: float | None = None
    note: str | None = None
    partition: str | None = None

    @property
    def name(self) -> str:
        """The metric in words: `row count`, `mean of amount`."""
        metric = self.check.removeprefix("anomaly_")
        if self.column is None:
            return metric.replace("_", " ")
        column = re.sub(r"[^A-Za-z0-9_]+", "_", self.column)  # as names of checks have it
        return f"{metric.removesuffix(f'_{column}').replace('_', ' ')} of {self.column}"


def anomaly_points(
    history: History, table: str, *, since: datetime | None = None, limit: int = 200
) -> list[list[AnomalyPoint]]:
    """Returns the last `limit` points of each anomaly check, oldest first; one list per check."""
    if not history.is_begun:
        return []
    number = sa.func.row_number().over(partition_by=RESULTS.c.check, order_by=VERDICTS.c.id.desc()).label("number")
    points = sa.select(
        VERDICTS.c.started_at, VERDICTS.c.run_id, RESULTS.c.check, RESULTS.c.column, RESULTS.c.success,
        RESULTS.c.observed_value, number, VERDICTS.c.id, VERDICTS.c.partition,
    ).join_from(VERDICTS, RESULTS, RESULTS.c.verdict_id == VERDICTS.c.id)  # fmt: skip
    points = points.where(VERDICTS.c.table == table, RESULTS.c.rule == ANOMALY, VERDICTS.c.batch != "")
    if since is not None:
        points = points.where(VERDICTS.c.started_at >= since)
    last = points.subquery("last")
    wanted = sa.select(last).where(last.c.number <= limit).order_by(last.c.check, last.c.id)
    by_check: dict[str, list[AnomalyPoint]] = {}
    with history.engine.connect() as connection:
        for row in connection.execute(wanted):
            by_check.setdefault(row.check, []).append(_point(row))
    return list(by_check.values())


def _point(row: Any) -> AnomalyPoint:
    value = json.loads(row.observed_value or "null")
    observed = value if isinstance(value, dict) else {"value": value}
    numbers = {name: _number(observed.get(name)) for name in ("value", "expected", "lower", "upper", "score")}
    note = observed.get("note")
    at = row.started_at
    return AnomalyPoint(
        row.check,
        row.column,
        at,
        row.run_id,
        row.success,
        **numbers,
        note=None if note is None else str(note),
        partition=row.partition,
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
