"""Robust z: how far a point is from the median of the past, in spreads that outliers do not move. It knows no season."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dq_pipelines.monitoring.anomalies.bands import Floats, centre
from dq_pipelines.monitoring.anomalies.strategy import Strategy


@dataclass(frozen=True)
class RobustZ(Strategy):
    """The point against the median of all that was before, and the spread of those that are no outliers by their MAD."""

    name: ClassVar[str] = "robust_z"

    def expect(self, times: Floats, values: Floats, at: float) -> tuple[float, float, int] | None:
        return *centre(values), len(values)
