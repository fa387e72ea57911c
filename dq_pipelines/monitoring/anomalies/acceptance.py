"""Lets a person accept a point of a series as expected, or undo that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.history.queries.series import Point
from dq_pipelines.history.store.accepted import AcceptedPoint, AcceptedPoints
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.monitoring.anomalies.anomaly_rule import AnomalyRule
from dq_pipelines.monitoring.anomalies.evaluation import judged, points_of


@dataclass(frozen=True)
class Series:
    """The series of one anomaly rule of a table, with its accepted points."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    rule: AnomalyRule
    history: History
    points: tuple[Point, ...]
    #: accepted points, by moment
    accepted: dict[datetime, AcceptedPoint]

    @classmethod
    def every(cls, table: str, rules: Sequence[AnomalyRule], history: History, *, daily: bool) -> Iterator[Series]:
        """Yields the series of a table's anomaly rules."""
        for rule in rules:
            accepted = AcceptedPoints(history).of(table, rule.metric, rule.column)
            yield cls(table, rule, history, tuple(points_of(rule, history, table, daily=daily)), accepted)

    @classmethod
    def of(
        cls, table: str, rules: Sequence[AnomalyRule], history: History, metric: str, column: str | None, *, daily: bool
    ) -> Series:
        """Returns the series of a metric. Raises ConfigError where the table has no anomaly rule for it."""
        for series in cls.every(table, rules, history, daily=daily):
            if (series.rule.metric, series.rule.column) == (metric, column):
                return series
        name = metric if column is None else f"{metric} of {column}"
        watched = [rule.about for rule in rules]
        wanted = f", wanted one of {', '.join(watched)}" if watched else ""
        raise _refusal(f"{table} does not watch {name}{nearest(name, watched)}{wanted}")

    @property
    def name(self) -> str:
        return f"{self.table}: {self.rule.about}"

    def accept(self, at: str, *, by: str, note: str = "", new_level: bool = False) -> str:
        """Accepts the point of this moment. Returns a sentence about it."""
        point = self.point(at)
        rule = self.rule
        accepted = AcceptedPoint(self.table, rule.metric, rule.column, point.at, new_level, by, note, datetime.now(UTC))
        AcceptedPoints(self.history).accept(accepted)
        return f"{self.name} of {moment(point.at)} ({point.value:,.6g}): {accepted.sentence}"

    def reopen(self, at: str) -> str:
        """Undoes the acceptance of a point. Raises ConfigError where it was not accepted."""
        point = self.point(at)
        if not AcceptedPoints(self.history).reopen(self.table, self.rule.metric, self.rule.column, point.at):
            raise _refusal(f"{self.name} of {moment(point.at)} was not accepted")
        return f"{self.name} of {moment(point.at)}: open again"

    def point(self, at: str) -> Point:
        """Returns the point of this moment (to the second), or the only point of this day. Raises ConfigError otherwise."""
        try:
            wanted = datetime.fromisoformat(at)
        except ValueError:
            raise _refusal(f"at: wanted a moment such as 2026-01-31 02:00:00, got '{at}'") from None
        wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
        day = len(at.strip()) <= len("2026-01-31")
        length = timedelta(days=1) if day else timedelta(seconds=1)
        matching = [point for point in self.points if wanted <= point.at < wanted + length]
        if len(matching) == 1:
            return matching[0]
        if matching:
            got = f"{len(matching)} points on that day: {', '.join(moment(point.at) for point in matching[-3:])}"
        elif self.points:
            near = min(self.points, key=lambda point: abs(point.at - wanted))
            got = f"no point then (nearest: {moment(near.at)})"
        else:
            got = "no points yet"
        raise _refusal(f"at: wanted one point of {self.name}, found {got}")

    def outside(self, since: datetime) -> Iterator[dict[str, Any]]:
        """Yields the points since then that are outside of their band or were accepted, with their results."""
        for place in (place for place, point in enumerate(self.points) if point.at >= since):
            watched = judged(self.rule, self.points[: place + 1], self.accepted)
            accepted = self.accepted.get(self.points[place].at)
            if watched.judgement.anomalous or accepted:
                yield {
                    "at": self.points[place].at.isoformat(),
                    "table": self.table,
                    "metric": self.rule.metric,
                    "column": self.rule.column,
                    **watched.observed,
                    "accepted": accepted.sentence if accepted else None,
                }


def moment(at: datetime) -> str:
    """Formats a moment in UTC, as `Series.point` reads it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _refusal(problem: str) -> ConfigError:
    return ConfigError([Problem("", 0, f"dq anomaly: {problem}")])
