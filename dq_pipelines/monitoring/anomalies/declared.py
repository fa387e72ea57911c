"""What YAML may say of anomalies: which metric of a table is held against its own past, and how."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from dq_pipelines.config.duration import Duration, duration
from dq_pipelines.config.model import Strict
from dq_pipelines.errors import nearest

if TYPE_CHECKING:
    from dq_pipelines.monitoring.anomalies.strategy import Strategy

#: Strategies that know seasons.
_SEASONAL = ("auto", "seasonal", "holt_winters")


class AnomalyRule(Strict):
    """A metric that is held against its own past.

    Each is an asset check, `anomaly_<metric>` or `anomaly_<metric>_<column>`, judged after each batch from the batches before
    it (of a table in daily partitions: from the days before). Below `minimum_history` it passes and says so. It neither
    blocks, nor does it count in quality scores.
    """

    #: what of each batch: `row_count`, `mean`, `null_share` or any other that `dq metrics` knows
    metric: str
    #: the column, for metrics of columns
    column: str | None = None
    #: `auto` is `seasonal` where there is a seasonality and `robust_z` where there is none; `holt_winters` needs the extra
    #: `anomalies`; `novelty`, for thousands of points, has no band
    strategy: Literal["auto", "robust_z", "seasonal", "level_shift", "rate_of_change", "holt_winters", "novelty"] = (
        "auto"
    )
    #: what comes again: by the hour (its minutes are compared), by the day (its hours), by the week (its days)
    seasonality: Literal["none", "hourly", "daily", "weekly"] = "none"
    #: the edge of the band in standard deviations: at 3 no more than 0.27 % of quiet batches are outside, at 2 4.6 %
    sensitivity: Annotated[float, Field(gt=0, le=100)] = 3.0
    #: `down` for a volume that may grow at will, `up` for nulls that may become fewer
    direction: Literal["both", "up", "down"] = "both"
    #: how far back batches count: `12h`, `90d`, `8w` or `2y`
    training: Duration = "90d"
    #: batches below which nothing is judged
    minimum_history: Annotated[int, Field(ge=3)] = 14
    #: of a failure; it is shown and told of, and never blocks
    severity: Literal["critical", "warning", "info"] = "warning"
    #: one sentence for people; the UI shows it
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
            raise ValueError("strategy seasonal wants a seasonality: hourly, daily or weekly")
        if self.seasonality != "none" and self.strategy not in _SEASONAL:
            wanted = ", ".join(_SEASONAL)
            raise ValueError(f"strategy {self.strategy} knows no seasonality, wanted one of {wanted}")
        return self

    @property
    def about(self) -> str:
        """`row_count`, or `mean of amount`."""
        return self.metric if self.column is None else f"{self.metric} of {self.column}"

    @property
    def is_sketched(self) -> bool:
        """Whether the metric comes of a sketch: different values, quantiles, outliers."""
        return self.metric.startswith(("distinct_", "outlier_", "robust_", "p")) and self.column is not None

    @property
    def check(self) -> str:
        """The name of its check, of letters, digits and `_` alone."""
        return re.sub(r"[^A-Za-z0-9_]+", "_", "_".join(filter(None, ("anomaly", self.metric, self.column))))

    @property
    def length(self) -> timedelta:
        return duration(self.training)

    def strategist(self) -> Strategy:
        """The strategy as this rule wants it."""
        from dataclasses import fields

        from dq_pipelines.monitoring.anomalies import strategies

        made = strategies()[self.strategy]
        asked = {name: getattr(self, name) for name in ("sensitivity", "direction", "minimum_history", "seasonality")}
        return made(**{field.name: asked[field.name] for field in fields(made)})
