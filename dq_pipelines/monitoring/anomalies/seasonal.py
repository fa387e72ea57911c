"""Seasonal baseline: a point against those of the same hour or weekday. Seasons are of the calendar, in UTC."""

from __future__ import annotations

import math
from bisect import insort
from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from dq_pipelines.monitoring.anomalies.bands import Floats, spread
from dq_pipelines.monitoring.anomalies.strategy import Strategy

Seasonality = Literal["none", "hourly", "daily", "weekly"]

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86_400, 604_800
#: Seconds of each season.
SEASONS = {"hourly": HOUR, "daily": DAY, "weekly": WEEK}
#: 1970 began on a Thursday; weeks begin on Monday.
_MONDAY = 4 * DAY
#: Points of its own that a slot needs before it is a baseline.
_LEAST = 1


@dataclass(frozen=True)
class Seasonal(Strategy):
    """The point against the median of its slot; how far points stray is learned from what all slots did so far."""

    name: ClassVar[str] = "seasonal"

    seasonality: Seasonality = "weekly"

    def expect(self, times: Floats, values: Floats, at: float) -> tuple[float, float, int] | None:
        expected, unsure = self._medians(np.append(times, at), np.append(values, np.nan))
        errors = (values - expected[:-1]) / unsure[:-1]
        errors = errors[np.isfinite(errors)]
        if not np.isfinite(expected[-1]) or len(errors) < 2:
            return None
        return float(expected[-1]), spread(errors, float(expected[-1])) * float(unsure[-1]), len(errors)

    def scores(self, times: Floats, values: Floats) -> Floats:
        return self.by_forecasts(values, *self._medians(times, values))

    def _medians(self, times: Floats, values: Floats) -> tuple[Floats, Floats]:
        """The median of what each point's slot was before it, NaN while that has too few points; and how unsure that is.

        A point is off the median of so many like it by more than its own straying: by that factor.
        """
        slots: defaultdict[int, list[float]] = defaultdict(list)
        found, unsure = np.full(len(values), np.nan), np.ones(len(values))
        for row, slot in enumerate(self._slots(times)):
            known = slots[slot]
            if len(known) >= _LEAST:
                found[row] = (known[len(known) // 2] + known[(len(known) - 1) // 2]) / 2
                unsure[row] = math.sqrt(1 + (1.0 if len(known) < 3 else math.pi / 2) / len(known))
            if np.isfinite(values[row]):
                insort(known, float(values[row]))
        return found, unsure

    def _slots(self, times: Floats) -> list[int]:
        """The slot of each time. A week's are its weekdays, or its hours, where points come several times a day."""
        if self.seasonality == "none":
            return [0] * len(times)
        # From the first points alone, so that a slot stays what it was.
        steps = np.diff(times[: self.minimum_history])
        often = len(steps) > 0 and float(np.median(steps)) <= DAY / 4
        slot = {"hourly": MINUTE, "daily": HOUR, "weekly": HOUR if often else DAY}[self.seasonality]
        return [int(place) for place in (times - _MONDAY) % SEASONS[self.seasonality] // slot]
