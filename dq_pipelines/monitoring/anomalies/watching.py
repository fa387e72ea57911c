"""One metric of one table held against its own past: which points are the past, and what is said of the one at hand.

How a strategy judges is in its own file; what Dagster shows of it belongs in `pipeline`.
"""

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
from dq_pipelines.monitoring.anomalies.declared import AnomalyRule
from dq_pipelines.monitoring.anomalies.strategy import Judgement
from dq_pipelines.monitoring.metrics.of_partitions import points_of_partitions

#: Points of the past that are looked at and that are drawn.
_LOOKED_AT, _DRAWN = 5000, 60
#: Strategies that take too long to be asked again about every point that is drawn, or have no band.
_NOT_DRAWN = ("holt_winters", "novelty")


@dataclass(frozen=True)
class Watched:
    """A rule, the point that it was asked about, and what it says."""

    rule: AnomalyRule
    #: in their order, the point itself last; empty where nothing was measured yet
    points: tuple[Point, ...]
    judgement: Judgement
    #: how many points of the past it was judged from
    past: int = 0
    #: what people have said of points of the series, by their moment
    words: Mapping[datetime, AcceptedPoint] = field(default_factory=dict)
    #: why it could not be judged
    error: str | None = None

    @property
    def success(self) -> bool:
        return self.error is None and (self.accepted is not None or not self.judgement.anomalous)

    @property
    def accepted(self) -> AcceptedPoint | None:
        """What a person said of the point."""
        return self.words.get(self.points[-1].at) if self.points else None

    def bands(self) -> dict[int, Judgement]:
        """What is said of the last sixty points, as far as they have a band, by their place in `points`."""
        last = len(self.points) - 1
        found = {last: self.judgement}
        if self.error is None and self.rule.strategy not in _NOT_DRAWN:
            drawn = range(max(0, last + 1 - _DRAWN), last)
            found |= {place: _judged(self.rule, self.points, self.words, place)[0] for place in drawn}
        return {place: one for place, one in sorted(found.items()) if one.expected is not None}

    @property
    def observed(self) -> dict[str, Any]:
        """The point and its band as JSON holds them."""
        told = self.judgement
        band = {"expected": told.expected, "lower": told.lower, "upper": told.upper}
        numbers = {name: None if one is None or math.isinf(one) else one for name, one in band.items()}
        value = {"value": self.points[-1].value} if self.points else {}
        note = "; ".join(filter(None, (told.note, self.accepted.sentence if self.accepted else "")))
        return {**value, **numbers, "score": round(told.score, 6), **({"note": note} if note else {})}

    def result(self) -> ResultRecord:
        """As history remembers it."""
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


def watch(rule: AnomalyRule, history: History, table: str, *, daily: bool, batch: str | None = None) -> Watched:
    """What a rule says of a batch's point, or of the last one where none is named.

    `daily`: the table is kept in partitions of a day, whose days are the moments of its series; a day that came in several
    batches is all of them. A batch that is no point (a rerun of many, a column that was not measured) passes with a note.
    A blocked batch is held against the past, and is no past itself.
    """
    points = points_of(rule, history, table, daily=daily, including=batch)
    if batch is not None:
        place = next((at for at, point in enumerate(points) if point.batch == batch), None)
        if place is None:
            return Watched(rule, (), Judgement.passed(f"{rule.about} of this batch was not measured"))
        points = points[: place + 1]
    if not points:
        return Watched(rule, (), Judgement.passed(f"not enough history: 0 of {rule.minimum_history} points"))
    return judged(rule, points, AcceptedPoints(history).of(table, rule.metric, rule.column))


def points_of(
    rule: AnomalyRule, history: History, table: str, *, daily: bool, including: str | None = None
) -> list[Point]:
    """The points of a rule's series in their order: as they were judged, or by their days, one for each.

    The batch to be `including` is a point also where it is blocked.
    """
    asked = (history, table, rule.metric, rule.column)
    if not daily:
        return series(*asked, limit=_LOOKED_AT, including=including)
    days = points_of_partitions(*asked, limit=_LOOKED_AT, including=including)
    found = [replace(day, at=datetime.fromisoformat(str(day.partition)).replace(tzinfo=UTC)) for day in days]
    return sorted(found, key=lambda point: point.at)


def judged(rule: AnomalyRule, points: Sequence[Point], accepted: Mapping[datetime, AcceptedPoint]) -> Watched:
    """The last of the points, by those before it that are in its training, and that nobody has called an exception."""
    last = len(points) - 1
    try:
        judgement, past = _judged(rule, points, accepted, last)
    except RuleError as error:
        return Watched(rule, tuple(points), Judgement.passed(""), words=accepted, error=str(error))
    return Watched(rule, tuple(points), judgement, past, accepted)


def _judged(
    rule: AnomalyRule, points: Sequence[Point], accepted: Mapping[datetime, AcceptedPoint], place: int
) -> tuple[Judgement, int]:
    at = points[place].at
    # From a new level on, what was before it says nothing; the point itself begins it.
    levels = [one.at for one in accepted.values() if one.new_level and one.at <= at]
    since = max([at - rule.length, *levels])
    past = [point for point in points[:place] if point.at >= since and _counts(accepted.get(point.at))]
    times = np.array([point.at.timestamp() for point in past], dtype=float)
    values = np.array([point.value for point in past], dtype=float)
    return rule.strategist().judge(times, values, at.timestamp(), points[place].value), len(past)


def _counts(accepted: AcceptedPoint | None) -> bool:
    return accepted is None or accepted.new_level
