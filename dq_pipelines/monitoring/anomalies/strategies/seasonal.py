"""Strategy `seasonal`: compares a point with those of the same hour or weekday, in UTC."""

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
#: Length of each season, in seconds.
SEASONS = {"hourly": HOUR, "daily": DAY, "weekly": WEEK}
#: 1970 began on a Thursday; weeks begin on Monday.
_MONDAY = 4 * DAY
#: Points that a slot needs before it is a baseline.
_LEAST = 1


@dataclass(frozen=True)
class Seasonal(Strategy):
    """Expects the median of the point's slot, within the spread of the errors of all slots so far."""

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
        """Returns, per point, the median of its slot's earlier points (NaN with too few), and that median's uncertainty.

        The uncertainty is the factor by which a point's deviation from this median exceeds the spread of the points.
        """
        slots: defaultdict[int, list[float]] = defaultdict(list)
        medians, unsure = np.full(len(values), np.nan), np.ones(len(values))
        for row, slot in enumerate(self._slots(times)):
            earlier = slots[slot]
            if len(earlier) >= _LEAST:
                medians[row] = (earlier[len(earlier) // 2] + earlier[(len(earlier) - 1) // 2]) / 2
                unsure[row] = math.sqrt(1 + (1.0 if len(earlier) < 3 else math.pi / 2) / len(earlier))
            if np.isfinite(values[row]):
                insort(earlier, float(values[row]))
        return medians, unsure

    def _slots(self, times: Floats) -> list[int]:
        """Returns the slot of each time. Slots of a week are weekdays, or hours where there are several points a day."""
        if self.seasonality == "none":
            return [0] * len(times)
        # From the first points only, so that later points do not change the slots.
        steps = np.diff(times[: self.minimum_history])
        often = len(steps) > 0 and float(np.median(steps)) <= DAY / 4
        slot = {"hourly": MINUTE, "daily": HOUR, "weekly": HOUR if often else DAY}[self.seasonality]
        return [int(place) for place in (times - _MONDAY) % SEASONS[self.seasonality] // slot]


STRATEGY = Seasonal
