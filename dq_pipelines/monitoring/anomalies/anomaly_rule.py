"""Defines the YAML of an anomaly rule: a metric of a table, and how it is compared with its history."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from dq_pipelines.config.duration import Duration, duration
from dq_pipelines.config.model import Strict
from dq_pipelines.errors import nearest
from dq_pipelines.monitoring.anomalies.strategies import NAMES, strategy_class

if TYPE_CHECKING:
    from dq_pipelines.monitoring.anomalies.strategy import Strategy

    StrategyName = str
else:  # the names are known at run time only
    StrategyName = Literal[NAMES]

#: Strategies that support a seasonality.
_SEASONAL = ("auto", "seasonal", "holt_winters")


class AnomalyRule(Strict):
    """A metric that is compared with its own history.

    Each rule is an asset check, `anomaly_<metric>` or `anomaly_<metric>_<column>`. It judges each batch by the batches
    before it; with daily partitions, each day by the days before. Below `minimum_history` it passes with a note. It never
    blocks, and does not count in quality scores.
    """

    #: the metric of each batch: `row_count`, `mean`, `null_share` or any other that `dq metrics` lists
    metric: str
    #: the column, for metrics of columns
    column: str | None = None
    #: `auto` is `seasonal` with a seasonality and `robust_z` without; `holt_winters` needs the extra `anomalies`;
    #: `novelty`, for thousands of points, has no band
    strategy: StrategyName = "auto"
    #: the period: `hourly` compares the same minutes, `daily` the same hours, `weekly` the same weekdays
    seasonality: Literal["none", "hourly", "daily", "weekly"] = "none"
    #: the edge of the band in standard deviations: at 3, at most 0.27 % of usual batches are outside; at 2, 4.6 %
    sensitivity: Annotated[float, Field(gt=0, le=100)] = 3.0
    #: which deviations fail: `down` for a volume that may grow, `up` for nulls that may become fewer
    direction: Literal["both", "up", "down"] = "both"
    #: the period of earlier batches that count: `12h`, `90d`, `8w` or `2y`
    training: Duration = "90d"
    #: with fewer earlier batches nothing is judged
    minimum_history: Annotated[int, Field(ge=3)] = 14
    #: severity of a failure; it never blocks
    severity: Literal["critical", "warning", "info"] = "warning"
    #: one sentence, which the UI shows
    description: str | None = None

    @model_validator(mode="after")
    def _metric_is_known(self) -> AnomalyRule:
        from dq_pipelines.history.queries.series import METRICS

        if self.metric not in METRICS:
            raise ValueError(f"unknown metric '{self.metric}'{nearest(self.metric, METRICS)}")
        if METRICS[self.metric].of_column and self.column is None:
            raise ValueError(f"metric {self.metric} is of a column, wanted the key column")
        if self.column is not None and not METRICS[self.metric].of_column:
            raise ValueError(f"metric {self.metric} is of the whole table, got column: {self.column}")
        return self

    @model_validator(mode="after")
    def _strategy_fits(self) -> AnomalyRule:
        if self.strategy == "seasonal" and self.seasonality == "none":
            raise ValueError("strategy seasonal needs a seasonality: wanted hourly, daily or weekly, got none")
        if self.seasonality != "none" and self.strategy not in _SEASONAL:
            wanted = ", ".join(_SEASONAL)
            raise ValueError(f"strategy {self.strategy} has no seasonality: wanted one of {wanted}")
        return self

    @property
    def about(self) -> str:
        """`row_count`, or `mean of amount`."""
        return self.metric if self.column is None else f"{self.metric} of {self.column}"

    @property
    def title(self) -> str:
        """The rule in words."""
        return self.description or f"{self.about} is within the range expected from its history"

    @property
    def is_sketched(self) -> bool:
        """Whether the metric is computed from a sketch: distinct values, quantiles, outliers."""
        return self.metric.startswith(("distinct_", "outlier_", "robust_", "p")) and self.column is not None

    @property
    def check(self) -> str:
        """The name of its check: letters, digits and `_` only."""
        return re.sub(r"[^A-Za-z0-9_]+", "_", "_".join(filter(None, ("anomaly", self.metric, self.column))))

    @property
    def length(self) -> timedelta:
        return duration(self.training)

    def strategist(self) -> Strategy:
        """Returns the strategy with the settings of this rule."""
        from dataclasses import fields

        strategy = strategy_class(self.strategy)
        names = ("sensitivity", "direction", "minimum_history", "seasonality")
        settings = {name: getattr(self, name) for name in names}
        return strategy(**{field.name: settings[field.name] for field in fields(strategy)})
