"""`metrics`: what is measured of each batch. How it is measured belongs in `monitoring.metrics`."""

from __future__ import annotations

from dq_pipelines.config.model import Many, Strict


class Metrics(Strict):
    """What history keeps of each batch beside its verdict."""

    #: the columns that are measured; all of them where it is not given, none with `[]`
    columns: Many[str] | None = None
    #: whether different values, quantiles and outliers are measured too: a grouping for each column
    sketches: bool = True

    def covers(self, column: str) -> bool:
        return self.columns is None or column in self.columns
