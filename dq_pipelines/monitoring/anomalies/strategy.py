"""Base class of strategies: judges a point of a series by its history.

Only earlier points count, so later points never change a judgement.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from dq_pipelines.config.counting import counted
from dq_pipelines.monitoring.anomalies.bands import Floats, edge_score, half_width, spread

Direction = Literal["both", "up", "down"]

#: Most earlier points that determine a score.
_RECENT = 1000


@dataclass(frozen=True)
class Judgement:
    """The judgement of one point by a strategy."""

    #: the expected value, in the unit of the values; None without enough history
    expected: float | None
    #: the band, both ends included; infinite on a side that does not matter
    lower: float | None
    upper: float | None
    #: 0 to 1: 0.5 at the edge of the band, near 1 far outside of it
    score: float
    anomalous: bool
    #: why nothing was judged, or a remark on the point; usually ""
    note: str = ""

    @classmethod
    def passed(cls, note: str) -> Judgement:
        """Returns the judgement of a point that cannot be judged: it passes."""
        return cls(None, None, None, 0.0, anomalous=False, note=note)


@dataclass(frozen=True)
class Strategy(ABC):
    """A method to predict the usual range of a point from the history of its series."""

    #: the name in YAML
    name: ClassVar[str]

    #: the edge of the band in standard deviations: at 3, at most 0.27 % of usual points are outside
    sensitivity: float = 3.0
    #: which deviations are anomalies: `down` for a volume that may grow
    direction: Direction = "both"
    #: with fewer earlier points nothing is judged
    minimum_history: int = 14

    @abstractmethod
    def expect(self, times: Floats, values: Floats, at: float) -> tuple[float, float, int] | None:
        """Returns expected value and spread of the point at `at`, and the number of points used; None for too few.

        `times` (seconds since 1970) and `values` have the same length, are finite, and in the order of arrival.
        """

    def judge(self, times: Floats, values: Floats, at: float, value: float) -> Judgement:
        """Judges `value` at `at` by the points before it."""
        is_finite = np.isfinite(values)
        times, values = times[is_finite], values[is_finite]
        if math.isnan(value):
            return Judgement.passed("no value")
        if len(values) < self.minimum_history:
            return Judgement.passed(f"not enough history: {len(values)} of {self.minimum_history} points")
        forecast = self.expect(times, values, at)
        if forecast is None:
            return Judgement.passed(f"not enough history: {counted(len(values), 'point')}, too few to compare with")
        expected, deviation, points = forecast
        return self.against(expected, half_width(deviation, points, self.sensitivity), value)

    def against(self, expected: float, half: float, value: float) -> Judgement:
        """Judges `value` by a band of `half` to either side of the expected value."""
        lower = expected - half if self.direction != "up" else -math.inf
        upper = expected + half if self.direction != "down" else math.inf
        error = value - expected
        off = {"both": abs(error), "up": max(error, 0.0), "down": max(-error, 0.0)}[self.direction]
        return Judgement(expected, lower, upper, edge_score(off, half), anomalous=not lower <= value <= upper)

    def scores(self, times: Floats, values: Floats) -> Floats:
        """Returns the score of each point, judged by up to a thousand points before it."""
        scores = np.zeros(len(values))
        for row in range(self.minimum_history, len(values)):
            past = slice(max(0, row - _RECENT), row)
            scores[row] = self.judge(times[past], values[past], float(times[row]), float(values[row])).score
        return scores

    def by_forecasts(self, values: Floats, expected: Floats, unsure: Floats | float = 1.0) -> Floats:
        """Returns the score of each point from given forecasts, by the errors of up to a thousand points before it.

        `unsure`: the factor by which the error of a forecast exceeds the spread of the points, because few points
        determine the forecast.
        """
        scores, errors = np.zeros(len(values)), (values - expected) / unsure
        widths = np.broadcast_to(unsure, len(values))
        is_finite = np.isfinite(errors)
        for row in np.flatnonzero(is_finite):
            recent = slice(max(0, row - _RECENT), row)
            before = errors[recent][is_finite[recent]]
            if row >= self.minimum_history and len(before) > 1:
                deviation = spread(before, expected[row]) * widths[row]
                half = half_width(deviation, len(before), self.sensitivity)
                scores[row] = self.against(float(expected[row]), half, float(values[row])).score
        return scores
