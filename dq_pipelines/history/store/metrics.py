"""What a batch measured: one value of each metric for its table, and one for each of its columns.

How they are measured belongs in `monitoring.metrics`; how they are read as series, in `series`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any


@dataclass(frozen=True)
class ColumnMetrics:
    """One column of the rows that were judged: typed, and before any was refused.

    Dates and times are measured in seconds: since 1970-01-01 UTC, since midnight, or as long as a duration is; booleans
    as 0 and 1. A metric that the column's type does not have, or that has no value to be reckoned from, is None.
    """

    column: str
    #: rows
    count: int
    null_count: int
    #: an estimate, a standard error of 1.6 % off; nearly exact below a thousand
    distinct_count: float | None = None
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    #: of the sample, with n - 1
    standard_deviation: float | None = None
    #: quantiles, by a digest: a hundredth of a rank off in the middle, less towards both ends
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
    #: of texts in characters
    min_length: int | None = None
    mean_length: float | None = None
    max_length: int | None = None
    #: what the metrics of several batches are merged from; see `monitoring.metrics.state`
    state: str | None = None

    @classmethod
    def of_row(cls, row: Mapping[Any, Any]) -> ColumnMetrics:
        """What a row of the database says; it may have other columns beside."""
        return cls(**{each.name: row[each.name] for each in fields(cls)})


@dataclass(frozen=True)
class BatchMetrics:
    """One batch: what it took, and what its columns are like."""

    #: of the files that were published
    bytes: int | None = None
    #: how old the newest row was, or the newest input, when the run began
    freshness_seconds: float | None = None
    #: by stage; where rows land and are judged in one pass, that is judging
    landing_seconds: float | None = None
    judging_seconds: float | None = None
    #: None in what a commit says of itself
    committing_seconds: float | None = None
    #: user and system, of the whole process
    cpu_seconds: float | None = None
    #: the most that the process has held so far
    peak_memory_bytes: int | None = None
    columns: tuple[ColumnMetrics, ...] = field(default=())

    def without_states(self) -> BatchMetrics:
        """These metrics, which can then be merged with others in their counts and moments alone."""
        return replace(self, columns=tuple(replace(column, state=None) for column in self.columns))

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> BatchMetrics:
        """What `dataclasses.asdict` made of it."""
        return cls(**{**said, "columns": tuple(ColumnMetrics(**column) for column in said["columns"])})
