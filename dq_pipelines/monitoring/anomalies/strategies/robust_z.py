"""Strategy `robust_z`: measures the distance of a point from the median of its history in robust standard deviations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dq_pipelines.monitoring.anomalies.bands import Floats, centre
from dq_pipelines.monitoring.anomalies.strategy import Strategy


@dataclass(frozen=True)
class RobustZ(Strategy):
    """Expects the median of all earlier points, within their spread without outliers (by MAD)."""

    name: ClassVar[str] = "robust_z"

    def expect(self, times: Floats, values: Floats, at: float) -> tuple[float, float, int] | None:
        return *centre(values), len(values)


STRATEGY = RobustZ
