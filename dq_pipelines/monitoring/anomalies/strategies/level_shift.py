"""Strategy `level_shift`: detects that the last few points together have left the earlier level."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from dq_pipelines.monitoring.anomalies.bands import Floats, centre, half_width
from dq_pipelines.monitoring.anomalies.strategy import Judgement, Strategy

#: Number of points whose median is the current level.
_LEVEL = 4


@dataclass(frozen=True)
class LevelShift(Strategy):
    """Compares the median of a point and the three before it with the median of all earlier points."""

    name: ClassVar[str] = "level_shift"

    def expect(self, times: Floats, values: Floats, at: float) -> tuple[float, float, int]:
        before = values[: 1 - _LEVEL]
        middle, deviation = centre(before)
        # A median of several points varies less than a single point.
        return middle, deviation * math.sqrt(math.pi / 2 / _LEVEL), len(before)

    def judge(self, times: Floats, values: Floats, at: float, value: float) -> Judgement:
        alone = super().judge(times, values, at, value)
        if alone.expected is None:
            return alone
        finite = values[np.isfinite(values)]
        level = float(np.median(np.append(finite[1 - _LEVEL :], value)))
        expected, deviation, points = self.expect(times, finite, at)
        shifted = self.against(expected, half_width(deviation, points, self.sensitivity), level)
        note = f"level of the last {_LEVEL} points: {level:.6g}" if shifted.anomalous else ""
        return replace(shifted, note=note)


STRATEGY = LevelShift
