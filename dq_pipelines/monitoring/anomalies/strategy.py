"""What every strategy is: the past of a series and one point in, a judgement out. What the past says is each one's own.

A point is judged from what was before it, never from what came after, so that a judgement stands for ever.
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

#: How much of the past the score of a long series' point is judged from.
_RECENT = 1000


@dataclass(frozen=True)
class Judgement:
    """What one strategy says of one point."""

    #: what the past lets expect, in the unit of the values; None without enough history
    expected: float | None
    #: the band of what is usual, both ends in it; infinite on a side that is not looked at
    lower: float | None
    upper: float | None
    #: 0 … 1: 0.5 at the edge of the band, near 1 far outside of it
    score: float
    anomalous: bool
    #: why nothing was judged, or what is special about the point; "" as a rule
    note: str = ""

    @classmethod
    def passed(cls, note: str) -> Judgement:
        """A point of which nothing can be said."""
        return cls(None, None, None, 0.0, anomalous=False, note=note)


@dataclass(frozen=True)
class Strategy(ABC):
    """One way to know from a series' past what is usual."""

    #: what it is called in YAML
    name: ClassVar[str]

    #: the edge of the band in standard deviations: of quiet points no more lie outside than of normal ones, 0.27 % at 3
    sensitivity: float = 3.0
    #: which way a point may stray: `down` for a volume that may grow at will
    direction: Direction = "both"
    #: points below which nothing is judged
    minimum_history: int = 14

    @abstractmethod
    def expect(self, times: Floats, values: Floats, at: float) -> tuple[float, float, int] | None:
        """Expected value of the point at `at`, spread, and how many points that is known from; None for too few.

        `times` (seconds since 1970) and `values` are of one length, finite, and in the order they came in.
        """

    def judge(self, times: Floats, values: Floats, at: float, value: float) -> Judgement:
        """What is to be said of `value` at `at`, by the points before it."""
        known = np.isfinite(values)
        times, values = times[known], values[known]
        if math.isnan(value):
            return Judgement.passed("no value")
        if len(values) < self.minimum_history:
            return Judgement.passed(f"not enough history: {len(values)} of {self.minimum_history} points")
        found = self.expect(times, values, at)
        if found is None:
            return Judgement.passed(f"not enough history: {counted(len(values), 'point')}, too few to compare with")
        expected, deviation, points = found
        return self.against(expected, half_width(deviation, points, self.sensitivity), value)

    def against(self, expected: float, half: float, value: float) -> Judgement:
        """The judgement of `value` by a band of `half` to either side of what is expected."""
        lower = expected - half if self.direction != "up" else -math.inf
        upper = expected + half if self.direction != "down" else math.inf
        error = value - expected
        off = {"both": abs(error), "up": max(error, 0.0), "down": max(-error, 0.0)}[self.direction]
        return Judgement(expected, lower, upper, edge_score(off, half), anomalous=not lower <= value <= upper)

    def scores(self, times: Floats, values: Floats) -> Floats:
        """The score of each point, judged from the thousand before it."""
        found = np.zeros(len(values))
        for row in range(self.minimum_history, len(values)):
            past = slice(max(0, row - _RECENT), row)
            found[row] = self.judge(times[past], values[past], float(times[row]), float(values[row])).score
        return found

    def by_forecasts(self, values: Floats, expected: Floats, unsure: Floats | float = 1.0) -> Floats:
        """The score of each point where all forecasts are there already: by what the thousand before it were off.

        `unsure`: by how much more than a point strays its forecast is off, for being made of few points itself.
        """
        found, errors = np.zeros(len(values)), (values - expected) / unsure
        widths = np.broadcast_to(unsure, len(values))
        told = np.isfinite(errors)
        for row in np.flatnonzero(told):
            recent = slice(max(0, row - _RECENT), row)
            before = errors[recent][told[recent]]
            if row >= self.minimum_history and len(before) > 1:
                deviation = spread(before, expected[row]) * widths[row]
                half = half_width(deviation, len(before), self.sensitivity)
                found[row] = self.against(float(expected[row]), half, float(values[row])).score
        return found
