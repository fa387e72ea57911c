"""Defines the metrics of a batch and of its columns, as they are stored.

`monitoring.metrics` measures them, `queries.series` reads them as series.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any


@dataclass(frozen=True)
class ColumnMetrics:
    """Metrics of one column over all judged rows: after casts, before any row is refused.

    Dates and times are in seconds: since 1970-01-01 UTC, since midnight, or the length of a duration. Booleans are 0 and
    1. A metric is None where the column's type does not have it, or no value gives it.
    """

    column: str
    #: rows
    count: int
    null_count: int
    #: an estimate with a standard error of 1.6 %; nearly exact below a thousand
    distinct_count: float | None = None
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    #: of the sample, with n - 1
    standard_deviation: float | None = None
    #: quantiles from a t-digest: off by a hundredth of a rank in the middle, by less towards both ends
    p01: float | None = None
    p05: float | None = None
    p25: float | None = None
    p50: float | None = None
    p75: float | None = None
    p95: float | None = None
    p99: float | None = None
    #: values more than 3 standard deviations from the mean
    outlier_count: int | None = None
    #: values with a modified z-score above 3.5, by median and MAD (Iglewicz and Hoaglin, 1993)
    robust_outlier_count: int | None = None
    #: lengths of texts, in characters
    min_length: int | None = None
    mean_length: float | None = None
    max_length: int | None = None
    #: sketches from which metrics of several batches are merged; see `monitoring.metrics.state`
    state: str | None = None

    @classmethod
    def of_row(cls, row: Mapping[Any, Any]) -> ColumnMetrics:
        """Reads a database row, which may have further columns."""
        return cls(**{each.name: row[each.name] for each in fields(cls)})


@dataclass(frozen=True)
class BatchMetrics:
    """Metrics of one batch: resources, times, and its columns."""

    #: size of the published files
    bytes: int | None = None
    #: age of the newest row, or of the newest input, when the run began
    freshness_seconds: float | None = None
    #: by stage; a single pass that lands and judges counts as judging
    landing_seconds: float | None = None
    judging_seconds: float | None = None
    #: None in the metadata of a commit, which is written before the time is known
    committing_seconds: float | None = None
    #: user and system, of the whole process
    cpu_seconds: float | None = None
    #: peak memory of the process so far
    peak_memory_bytes: int | None = None
    columns: tuple[ColumnMetrics, ...] = field(default=())

    def without_states(self) -> BatchMetrics:
        """Returns the metrics without sketches: only counts and moments can then be merged."""
        return replace(self, columns=tuple(replace(column, state=None) for column in self.columns))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> BatchMetrics:
        """Reads what `dataclasses.asdict` wrote."""
        return cls(**{**values, "columns": tuple(ColumnMetrics(**column) for column in values["columns"])})
