"""The mergeable state of a column's metrics: the states of two batches give the metrics of all their rows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.monitoring.metrics.digest import FAR, Digest
from dq_pipelines.monitoring.metrics.distinct import Distinct

_QUANTILES = {f"p{percent:02}": percent / 100 for percent in (1, 5, 25, 50, 75, 95, 99)}


@dataclass(frozen=True)
class Moments:
    """Moments of a column's finite numbers, or of the lengths of its texts."""

    count: int
    mean: float
    #: the sum of squared distances from the mean
    squares: float
    min: float
    max: float

    def __add__(self, other: Moments) -> Moments:
        """Merges two moments (Chan, Golub and LeVeque, 1979)."""
        count = self.count + other.count
        apart = other.mean - self.mean
        return Moments(
            count,
            self.mean + apart * other.count / count,
            self.squares + other.squares + apart * apart * self.count * other.count / count,
            min(self.min, other.min),
            max(self.max, other.max),
        )

    @property
    def standard_deviation(self) -> float | None:
        return math.sqrt(max(self.squares, 0.0) / (self.count - 1)) if self.count > 1 else None


@dataclass(frozen=True)
class ColumnState:
    """The state of one column over one or several batches."""

    column: str
    #: rows
    count: int
    null_count: int
    numbers: Moments | None = None
    lengths: Moments | None = None
    distinct: Distinct | None = None
    digest: Digest | None = None

    def __add__(self, other: ColumnState) -> ColumnState:
        return ColumnState(
            self.column,
            self.count + other.count,
            self.null_count + other.null_count,
            _both(self.numbers, other.numbers),
            _both(self.lengths, other.lengths),
            # A sketch is lost where one part lacks it, unless that part has no values.
            self._sketch(other, "distinct"),
            self._sketch(other, "digest"),
        )

    def _sketch(self, other: ColumnState, name: str) -> Any:
        ours, theirs = getattr(self, name), getattr(other, name)
        if ours is None or theirs is None:
            empty = self if ours is None else other
            return (theirs if ours is None else ours) if empty.count == empty.null_count else None
        return ours + theirs

    def metrics(self) -> ColumnMetrics:
        """Returns the metrics to store, with the state in them."""
        values: dict[str, Any] = {}
        if self.distinct is not None:
            # Capped by the number of values: an estimate may be slightly higher.
            values["distinct_count"] = float(min(round(self.distinct.estimate()), self.count - self.null_count))
        if (numbers := self.numbers) is not None:
            values |= {"min": numbers.min, "max": numbers.max, "mean": numbers.mean}
            values["standard_deviation"] = numbers.standard_deviation
            if self.digest is not None:
                values |= {name: self._within(self.digest.quantile(share)) for name, share in _QUANTILES.items()}
                values["outlier_count"] = self.digest.beyond(numbers.mean, FAR * (numbers.standard_deviation or 0.0))
                values["robust_outlier_count"] = self.digest.robust_outliers()
        if (lengths := self.lengths) is not None:
            values |= {"min_length": int(lengths.min), "mean_length": lengths.mean, "max_length": int(lengths.max)}
        return ColumnMetrics(self.column, self.count, self.null_count, **values, state=self._as_text())

    def _within(self, value: float) -> float:
        """Clips a quantile to minimum and maximum: rounding may put a bucket's mean outside of its numbers."""
        return min(max(value, self.numbers.min), self.numbers.max) if self.numbers else value

    def _as_text(self) -> str:
        state: dict[str, Any] = {}
        for name in ("numbers", "lengths"):
            if (moments := getattr(self, name)) is not None:
                state[name] = [moments.count, moments.mean, moments.squares, moments.min, moments.max]
        if self.distinct is not None:
            state["distinct"] = self.distinct.to_text()
        if self.digest is not None:
            state["digest"] = self.digest.compressed().to_text()
        return json.dumps(state)

    @classmethod
    def of(cls, metrics: ColumnMetrics) -> ColumnState:
        """Reads the state stored with metrics; where there is none, derives it from the metrics as far as possible."""
        if metrics.state is None:
            values = metrics.count - metrics.null_count
            return cls(
                metrics.column,
                metrics.count,
                metrics.null_count,
                _moments(values, metrics.mean, metrics.standard_deviation, metrics.min, metrics.max),
                _moments(values, metrics.mean_length, None, metrics.min_length, metrics.max_length),
            )
        state = json.loads(metrics.state)
        return cls(
            metrics.column,
            metrics.count,
            metrics.null_count,
            Moments(*state["numbers"]) if "numbers" in state else None,
            Moments(*state["lengths"]) if "lengths" in state else None,
            Distinct.from_text(state["distinct"]) if "distinct" in state else None,
            Digest.from_text(state["digest"]) if "digest" in state else None,
        )


def _moments(
    count: int, mean: float | None, deviation: float | None, least: float | None, most: float | None
) -> Moments | None:
    if mean is None or least is None or most is None:
        return None
    return Moments(count, mean, (deviation or 0.0) ** 2 * (count - 1), least, most)


def _both(ours: Moments | None, theirs: Moments | None) -> Moments | None:
    return ours + theirs if ours is not None and theirs is not None else ours or theirs


def merged(batches: Iterable[Iterable[ColumnMetrics]]) -> tuple[ColumnMetrics, ...]:
    """Returns the metrics of all batches together. A column that a batch lacks counts as null in its rows."""
    parts = [{metrics.column: ColumnState.of(metrics) for metrics in batch} for batch in batches]
    names = dict.fromkeys(name for part in reversed(parts) for name in part)
    rows = [max((state.count for state in part.values()), default=0) for part in parts]
    whole = []
    for name in names:
        states = [
            part.get(name, ColumnState(name, count, count)) for part, count in zip(parts, rows, strict=True) if count
        ]
        if states:
            whole.append(reduce(lambda one, other: one + other, states))
    return tuple(replace(state, digest=state.digest and state.digest.compressed()).metrics() for state in whole)
