"""Strategy `auto`: chooses a strategy by the seasonality and length of a series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dq_pipelines.monitoring.anomalies.bands import Floats
from dq_pipelines.monitoring.anomalies.strategies.novelty import Novelty
from dq_pipelines.monitoring.anomalies.strategies.robust_z import RobustZ
from dq_pipelines.monitoring.anomalies.strategies.seasonal import Seasonal, Seasonality
from dq_pipelines.monitoring.anomalies.strategy import Judgement, Strategy

#: From this many points on, a series is long enough for `novelty`.
_LONG = 150


@dataclass(frozen=True)
class Automatic(Strategy):
    """Uses the seasonal baseline where a seasonality is given, else robust z. `scores` uses novelty for a long series.

    `judge`, which judges a metric's points one by one, always has a band.
    """

    name: ClassVar[str] = "auto"

    seasonality: Seasonality = "none"

    @property
    def _short(self) -> Strategy:
        if self.seasonality == "none":
            return RobustZ(self.sensitivity, self.direction, self.minimum_history)
        return Seasonal(self.sensitivity, self.direction, self.minimum_history, self.seasonality)

    def expect(self, times: Floats, values: Floats, at: float) -> tuple[float, float, int] | None:
        return self._short.expect(times, values, at)

    def judge(self, times: Floats, values: Floats, at: float, value: float) -> Judgement:
        return self._short.judge(times, values, at, value)

    def scores(self, times: Floats, values: Floats) -> Floats:
        if self.seasonality != "none":
            return self._short.scores(times, values)
        scores = Novelty(self.sensitivity).scores(times, values)
        scores[:_LONG] = self._short.scores(times[:_LONG], values[:_LONG])
        return scores


STRATEGY = Automatic
