"""Strategy `rate_of_change`: compares the step from the last point with earlier steps; the level does not matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dq_pipelines.monitoring.anomalies.bands import Floats, centre, spread
from dq_pipelines.monitoring.anomalies.strategy import Strategy


@dataclass(frozen=True)
class RateOfChange(Strategy):
    """Expects the last point plus the median step, within the spread of all earlier steps: for series that drift."""

    name: ClassVar[str] = "rate_of_change"

    def expect(self, times: Floats, values: Floats, at: float) -> tuple[float, float, int] | None:
        steps = np.diff(values)
        if len(steps) < 2:
            return None
        step, deviation = centre(steps)
        last = float(values[-1])
        return last + step, max(deviation, spread(np.zeros(1), last)), len(steps)


STRATEGY = RateOfChange
