"""What `strategy: auto` is: the strategy that fits how much is known of a series. Strategies have files of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dq_pipelines.monitoring.anomalies.bands import Floats
from dq_pipelines.monitoring.anomalies.novelty import Novelty
from dq_pipelines.monitoring.anomalies.robust_z import RobustZ
from dq_pipelines.monitoring.anomalies.seasonal import Seasonal, Seasonality
from dq_pipelines.monitoring.anomalies.strategy import Judgement, Strategy

#: Points from which on stretches have been seen often enough to tell a new one.
_LONG = 150


@dataclass(frozen=True)
class Automatic(Strategy):
    """The seasonal baseline where a seasonality is given, else robust z; of raw series, streaming distance once they are long.

    `judge`, which is asked about a metric's points one by one, always has a band.
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
        found = Novelty(self.sensitivity).scores(times, values)
        found[:_LONG] = self._short.scores(times[:_LONG], values[:_LONG])
        return found
