"""Evaluates an anomaly rule: selects the history of the metric, and judges the current point by it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from dq_pipelines.errors import RuleError
from dq_pipelines.history.queries.series import Point, series
from dq_pipelines.history.store.accepted import AcceptedPoint, AcceptedPoints
from dq_pipelines.history.store.records import ANOMALY, ResultRecord
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.monitoring.anomalies.anomaly_rule import AnomalyRule
from dq_pipelines.monitoring.anomalies.strategy import Judgement
from dq_pipelines.monitoring.metrics.partition_points import points_of_partitions

#: Most points that are read, and that are drawn.
_READ, _DRAWN = 5000, 60
#: Strategies that are too slow to judge every drawn point, or have no band.
_NOT_DRAWN = ("holt_winters", "novelty")


@dataclass(frozen=True)
class AnomalyResult:
    """The result of an anomaly rule for one point."""

    rule: AnomalyRule
    #: in order, the judged point last; empty where nothing was measured yet
    points: tuple[Point, ...]
    judgement: Judgement
    #: number of earlier points that it was judged by
    past: int = 0
    #: accepted points of the series, by moment
    accepted_points: Mapping[datetime, AcceptedPoint] = field(default_factory=dict)
    #: why it could not be judged
    error: str | None = None

    @property
    def success(self) -> bool:
        return self.error is None and (self.accepted is not None or not self.judgement.anomalous)

    @property
    def accepted(self) -> AcceptedPoint | None:
        """The acceptance of the judged point; None without one."""
        return self.accepted_points.get(self.points[-1].at) if self.points else None

    def bands(self) -> dict[int, Judgement]:
        """Returns the judgements of the last sixty points that have a band, by their place in `points`."""
        last = len(self.points) - 1
        judgements = {last: self.judgement}
        if self.error is None and self.rule.strategy not in _NOT_DRAWN:
            drawn = range(max(0, last + 1 - _DRAWN), last)
            judgements |= {place: _judged(self.rule, self.points, self.accepted_points, place)[0] for place in drawn}
        return {place: each for place, each in sorted(judgements.items()) if each.expected is not None}

    @property
    def observed(self) -> dict[str, Any]:
        """The point and its band as a JSON value."""
        judgement = self.judgement
        band = {"expected": judgement.expected, "lower": judgement.lower, "upper": judgement.upper}
        numbers = {name: None if end is None or math.isinf(end) else end for name, end in band.items()}
        value = {"value": self.points[-1].value} if self.points else {}
        note = "; ".join(filter(None, (judgement.note, self.accepted.sentence if self.accepted else "")))
        return {**value, **numbers, "score": round(judgement.score, 6), **({"note": note} if note else {})}

    def result(self) -> ResultRecord:
        """Returns the result as a record of the history."""
        return ResultRecord(
            check=self.rule.check,
            rule=ANOMALY,
            column=self.rule.column,
            severity=self.rule.severity,
            success=self.success,
            blocks=False,
            observed_value=self.observed,
            error=self.error,
            score=float(self.success),
        )


def evaluate(
    rule: AnomalyRule, history: History, table: str, *, daily: bool, batch: str | None = None
) -> AnomalyResult:
    """Evaluates a rule for a batch's point, or for the last point.

    `daily`: the table has daily partitions, and each day is one point, also where it came in several batches. A batch
    without a point (a rerun, an unmeasured column) passes with a note. A blocked batch is judged, but is no history for
    later ones.
    """
    points = points_of(rule, history, table, daily=daily, including=batch)
    if batch is not None:
        place = next((at for at, point in enumerate(points) if point.batch == batch), None)
        if place is None:
            return AnomalyResult(rule, (), Judgement.passed(f"{rule.about} of this batch was not measured"))
        points = points[: place + 1]
    if not points:
        return AnomalyResult(rule, (), Judgement.passed(f"not enough history: 0 of {rule.minimum_history} points"))
    return judged(rule, points, AcceptedPoints(history).of(table, rule.metric, rule.column))


def points_of(
    rule: AnomalyRule, history: History, table: str, *, daily: bool, including: str | None = None
) -> list[Point]:
    """Returns the points of a rule's series in order: one per batch, or with `daily`, one per day.

    The batch `including` is a point even if it is blocked.
    """
    metric = (history, table, rule.metric, rule.column)
    if not daily:
        return series(*metric, limit=_READ, including=including)
    days = points_of_partitions(*metric, limit=_READ, including=including)
    points = [replace(day, at=datetime.fromisoformat(str(day.partition)).replace(tzinfo=UTC)) for day in days]
    return sorted(points, key=lambda point: point.at)


def judged(rule: AnomalyRule, points: Sequence[Point], accepted: Mapping[datetime, AcceptedPoint]) -> AnomalyResult:
    """Judges the last point by the earlier ones in its training period, without those accepted as exceptions."""
    last = len(points) - 1
    try:
        judgement, past = _judged(rule, points, accepted, last)
    except RuleError as error:
        return AnomalyResult(rule, tuple(points), Judgement.passed(""), accepted_points=accepted, error=str(error))
    return AnomalyResult(rule, tuple(points), judgement, past, accepted)


def _judged(
    rule: AnomalyRule, points: Sequence[Point], accepted: Mapping[datetime, AcceptedPoint], place: int
) -> tuple[Judgement, int]:
    at = points[place].at
    # Points before a new level do not count; the accepted point is the first of the new level.
    levels = [each.at for each in accepted.values() if each.new_level and each.at <= at]
    since = max([at - rule.length, *levels])
    past = [point for point in points[:place] if point.at >= since and _counts(accepted.get(point.at))]
    times = np.array([point.at.timestamp() for point in past], dtype=float)
    values = np.array([point.value for point in past], dtype=float)
    return rule.strategist().judge(times, values, at.timestamp(), points[place].value), len(past)


def _counts(accepted: AcceptedPoint | None) -> bool:
    return accepted is None or accepted.new_level
