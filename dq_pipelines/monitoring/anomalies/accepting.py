"""A person's word on a point: finding the series and the point that are meant, accepting it, taking that back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.history.queries.series import Point
from dq_pipelines.history.store.accepted import AcceptedPoint, AcceptedPoints
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.monitoring.anomalies.declared import AnomalyRule
from dq_pipelines.monitoring.anomalies.watching import judged, points_of


@dataclass(frozen=True)
class Series:
    """A metric that a table watches, with what is known of it."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    rule: AnomalyRule
    history: History
    points: tuple[Point, ...]
    #: what people have said of its points, by their moment
    words: dict[datetime, AcceptedPoint]

    @classmethod
    def every(cls, table: str, rules: Sequence[AnomalyRule], history: History, *, daily: bool) -> Iterator[Series]:
        """Those of a table's rules."""
        for rule in rules:
            words = AcceptedPoints(history).of(table, rule.metric, rule.column)
            yield cls(table, rule, history, tuple(points_of(rule, history, table, daily=daily)), words)

    @classmethod
    def asked(
        cls, table: str, rules: Sequence[AnomalyRule], history: History, metric: str, column: str | None, *, daily: bool
    ) -> Series:
        """The one of this metric; raises ConfigError for one that the table does not watch."""
        for series in cls.every(table, rules, history, daily=daily):
            if (series.rule.metric, series.rule.column) == (metric, column):
                return series
        name = metric if column is None else f"{metric} of {column}"
        known = [rule.about for rule in rules]
        told = f", wanted one of {', '.join(known)}" if known else ""
        raise _refusal(f"{table} does not watch {name}{nearest(name, known)}{told}")

    @property
    def name(self) -> str:
        return f"{self.table}: {self.rule.about}"

    def accept(self, at: str, *, by: str, note: str = "", new_level: bool = False) -> str:
        """Say that the point of this moment is as it should be; what was done, in words."""
        point = self.point(at)
        rule = self.rule
        word = AcceptedPoint(self.table, rule.metric, rule.column, point.at, new_level, by, note, datetime.now(UTC))
        AcceptedPoints(self.history).accept(word)
        return f"{self.name} of {moment(point.at)} ({point.value:,.6g}): {word.sentence}"

    def reopen(self, at: str) -> str:
        """Take it back; raises ConfigError where nobody has accepted the point."""
        point = self.point(at)
        if not AcceptedPoints(self.history).reopen(self.table, self.rule.metric, self.rule.column, point.at):
            raise _refusal(f"{self.name} of {moment(point.at)} was not accepted")
        return f"{self.name} of {moment(point.at)}: open again"

    def point(self, at: str) -> Point:
        """The point of this moment, to the second, or the only one of this day; raises ConfigError."""
        try:
            wanted = datetime.fromisoformat(at)
        except ValueError:
            raise _refusal(f"at: wanted a moment such as 2026-01-31 02:00:00, got '{at}'") from None
        wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
        day = len(at.strip()) <= len("2026-01-31")
        length = timedelta(days=1) if day else timedelta(seconds=1)
        found = [point for point in self.points if wanted <= point.at < wanted + length]
        if len(found) == 1:
            return found[0]
        if found:
            said = f"{len(found)} points on that day: {', '.join(moment(point.at) for point in found[-3:])}"
        elif self.points:
            near = min(self.points, key=lambda point: abs(point.at - wanted))
            said = f"no point then (nearest: {moment(near.at)})"
        else:
            said = "no points yet"
        raise _refusal(f"at: wanted one point of {self.name}, found {said}")

    def outside(self, since: datetime) -> Iterator[dict[str, Any]]:
        """Each of the points since then that are outside of their band, or were accepted, and what was said of it."""
        for place in (place for place, point in enumerate(self.points) if point.at >= since):
            watched = judged(self.rule, self.points[: place + 1], self.words)
            accepted = self.words.get(self.points[place].at)
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
    """A moment as it is shown, in UTC, and as `point` understands it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _refusal(said: str) -> ConfigError:
    return ConfigError([Problem("", 0, f"dq anomaly: {said}")])
