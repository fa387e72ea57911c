"""Defines the profile of a column and of a table. `scan` computes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from dq_pipelines.monitoring.profile.inferred_type import InferredType

#: The columns of `ColumnProfile.values` and `shapes`: a value (or its shape), and its number of rows in the sample.
VALUE, SHAPE, COUNT = "value", "shape", "count"


@dataclass(frozen=True)
class Lengths:
    """Lengths of the values of a text column, in characters."""

    shortest: int
    longest: int
    mean: float


@dataclass(frozen=True)
class ColumnProfile:
    """The profile of one column."""

    name: str
    dtype: pl.DataType
    #: rows of the table
    rows: int
    #: rows without a value (null or NaN)
    nulls: int
    #: distinct values: exact where the sample is the whole table, else within about 2 %
    distinct: int
    #: the type of the values; of text, the type that they can be parsed as
    inferred_type: InferredType
    #: `value` and `count`: the distinct values of the sample, most frequent first
    values: pl.DataFrame = field(repr=False)
    #: the least and the greatest value; of text, of the parsed values
    least: Any = None
    greatest: Any = None
    #: of numbers, including numbers in text; None for other values
    mean: float | None = None
    standard_deviation: float | None = None
    #: `p01` to `p99` of the sample's numbers
    quantiles: Mapping[str, float] = field(default_factory=dict)
    #: of text only
    lengths: Lengths | None = None

    @property
    def is_text(self) -> bool:
        """Whether the column landed as text, whatever its inferred type."""
        return isinstance(self.dtype, pl.String)

    @property
    def count(self) -> int:
        """Rows with a value."""
        return self.rows - self.nulls

    @property
    def marked(self) -> int:
        """Rows with a null marker such as `n/a` among numbers, dates or booleans; extrapolated from a sample."""
        if not self.seen or self.inferred_type.kind == "text":
            return 0
        return round(self.inferred_type.marked * self.count / self.seen)

    @property
    def null_share(self) -> float:
        return self.nulls / self.rows if self.rows else 0.0

    @cached_property
    def seen(self) -> int:
        """Rows of the sample with a value."""
        return int(self.values.get_column(COUNT).sum() or 0)

    @cached_property
    def shapes(self) -> pl.DataFrame:
        """`shape` and `count` of a text column's values, most frequent first; see `shapes`."""
        from dq_pipelines.monitoring.profile.shapes import shape_of

        shapes = self.values.select(shape_of(pl.col(VALUE)).alias(SHAPE), COUNT).group_by(SHAPE).agg(pl.sum(COUNT))
        return shapes.sort(COUNT, SHAPE, descending=[True, False])


@dataclass(frozen=True)
class Profile:
    """The profile of a table."""

    rows: int
    columns: tuple[ColumnProfile, ...]
    #: the rows in which structure was searched: all, or a sample by row number
    sample: pl.DataFrame = field(repr=False)

    def __iter__(self) -> Iterator[ColumnProfile]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> ColumnProfile:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, ColumnProfile]:
        return {column.name: column for column in self.columns}

    @property
    def is_whole(self) -> bool:
        """Whether the sample is the whole table."""
        return self.sample.height == self.rows
