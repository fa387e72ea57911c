"""What is known of a column, and of a table, after it was looked at. How it is found out belongs in `scan`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from dq_pipelines.monitoring.profile.reading import Reading

#: The columns of `ColumnProfile.values` and `shapes`: a value (or its shape), and in how many rows of the sample.
VALUE, SHAPE, COUNT = "value", "shape", "count"


@dataclass(frozen=True)
class Lengths:
    """How many characters the values of a text column have."""

    shortest: int
    longest: int
    mean: float


@dataclass(frozen=True)
class ColumnProfile:
    """One column, as it was found."""

    name: str
    dtype: pl.DataType
    #: rows of the table
    rows: int
    #: of these, rows without a value (NaN among them)
    nulls: int
    #: distinct values: exact where the sample is the table, else within 2 % or so
    distinct: int
    #: what the values are: of text, what they can be read as
    reading: Reading
    #: `value` and `count`: the distinct values of the sample, the most frequent first
    values: pl.DataFrame = field(repr=False)
    #: the least and the greatest value; of text that reads as something else, of what it reads as
    least: Any = None
    greatest: Any = None
    #: of numbers, also of those that are written as text; None of all else
    mean: float | None = None
    standard_deviation: float | None = None
    #: `p01` to `p99` of the sample's numbers
    quantiles: Mapping[str, float] = field(default_factory=dict)
    #: of text only
    lengths: Lengths | None = None

    @property
    def is_text(self) -> bool:
        """Whether the column is text as it landed, whatever it can be read as."""
        return isinstance(self.dtype, pl.String)

    @property
    def count(self) -> int:
        """Rows with a value."""
        return self.rows - self.nulls

    @property
    def marked(self) -> int:
        """Rows whose text says that there is no value, where the others are numbers, dates or truths; of a sample, about."""
        if not self.seen or self.reading.kind == "text":
            return 0
        return round(self.reading.marked * self.count / self.seen)

    @property
    def null_share(self) -> float:
        return self.nulls / self.rows if self.rows else 0.0

    @cached_property
    def seen(self) -> int:
        """Rows of the sample with a value."""
        return int(self.values.get_column(COUNT).sum() or 0)

    @cached_property
    def shapes(self) -> pl.DataFrame:
        """`shape` and `count` of a text column's values, the most frequent first; see `shapes`."""
        from dq_pipelines.monitoring.profile.shapes import shape_of

        shapes = self.values.select(shape_of(pl.col(VALUE)).alias(SHAPE), COUNT).group_by(SHAPE).agg(pl.sum(COUNT))
        return shapes.sort(COUNT, SHAPE, descending=[True, False])


@dataclass(frozen=True)
class Profile:
    """A table, as it was found."""

    rows: int
    columns: tuple[ColumnProfile, ...]
    #: the rows that structure was looked for in: all of them, or some that were chosen by their place
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
        """Whether the sample is the table."""
        return self.sample.height == self.rows
