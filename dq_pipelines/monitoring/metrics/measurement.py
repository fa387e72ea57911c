"""Measures the columns of a batch in the same pass that judges its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
import polars as pl
from polars import selectors as cs

from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.monitoring.metrics.blocks import blocks
from dq_pipelines.monitoring.metrics.buckets import MOMENTS, NUMBERS, Buckets
from dq_pipelines.monitoring.metrics.digest import Digest
from dq_pipelines.monitoring.metrics.distinct import DistinctBuilder
from dq_pipelines.monitoring.metrics.state import ColumnState, Moments

#: Rows per chunk: the CSV reader alone would give a few thousand at a time.
_AT_ONCE = 200_000


class _Numbers:
    """Collects the numbers of a column: their moments, and their buckets where quantiles are wanted."""

    def __init__(self, bits: int | None) -> None:
        self.moments: Moments | None = None
        self._buckets = None if bits is None else Buckets(bits)

    def add(self, values: pl.Series) -> None:
        """Adds some numbers: finite floats or nulls."""
        # A fixed name: Polars takes a name such as "^a$" for a pattern, even of a series.
        values = values.alias("values")
        numbers = (values.drop_nulls() if values.null_count() else values).to_numpy()
        if not len(numbers):
            return
        moments = _moments_of(numbers)
        self.moments = moments if self.moments is None else self.moments + moments
        if self._buckets is not None:
            self._buckets.add(numbers)

    def digest(self) -> Digest | None:
        return None if self._buckets is None or self.moments is None else self._buckets.digest()


class Collector:
    """Collects what the metrics of all columns are made of, apart from counts; each chunk of rows is added once.

    It is one sink of the plan, not a group-by per column. Polars would feed each group-by separately, and buffer rows for
    the slowest. (6 million CSV rows took 3.1 GB that way, and 1.2 GB this way.) A Python node in the plan would make
    Polars run the plan above it twice.
    """

    def __init__(self, schema: Mapping[str, pl.DataType], *, sketches: bool) -> None:
        self._lock = Lock()
        self._schema = {name: dtype for name, dtype in schema.items() if is_number(dtype)}
        self.distinct = {
            name: DistinctBuilder() for name, dtype in schema.items() if sketches and not _is_opaque(dtype)
        }
        self.numbers = {
            name: _Numbers((MOMENTS if dtype.is_temporal() else NUMBERS) if sketches else None)
            for name, dtype in self._schema.items()
        }
        self.lengths = {name: _Numbers(None) for name, dtype in schema.items() if isinstance(dtype, pl.String)}

    @property
    def columns(self) -> list[str]:
        """The columns that it wants."""
        return list(dict.fromkeys([*self.distinct, *self.numbers, *self.lengths]))

    def add(self, rows: pl.DataFrame) -> None:
        """Adds some rows; any thread may."""
        if rows.is_empty():
            return
        with self._lock:
            self._add(rows)

    def _add(self, rows: pl.DataFrame) -> None:
        for name, distinct in self.distinct.items():
            distinct.add(rows.get_column(name))
        lengths = [column(name).str.len_chars().cast(pl.Float64) for name in self.lengths]
        values = rows.select(*(number(name, dtype).alias(name) for name, dtype in self._schema.items()), *lengths)
        for name, collected in (self.numbers | self.lengths).items():
            collected.add(values.get_column(name))


class Measurement:
    """Measures the columns of one frame: collect `frames` once, then pass the results to `metrics`."""

    def __init__(self, schema: Mapping[str, pl.DataType], *, sketches: bool = True) -> None:
        self.schema = schema
        self._collector = Collector(schema, sketches=sketches)

    def frames(self, rows: pl.LazyFrame) -> list[pl.LazyFrame]:
        """Returns lazy frames to collect: counts of all columns, and a sink that collects the rest."""
        frames = [rows.select(self._scalars)]
        if wanted := self._collector.columns:
            columns = rows.select(column(name) for name in wanted)
            frames.append(
                columns.sink_batches(self._collector.add, chunk_size=_AT_ONCE, maintain_order=False, lazy=True)
            )
        return frames

    def metrics(self, frames: Sequence[pl.DataFrame]) -> tuple[ColumnMetrics, ...]:
        """Returns the metrics of each column from the collected frames."""
        scalars = frames[0].row(0, named=True)
        return tuple(self._state(name, place, scalars).metrics() for place, name in enumerate(self.schema))

    def _state(self, name: str, place: int, scalars: Mapping[str, Any]) -> ColumnState:
        collector = self._collector
        numbers, distinct = collector.numbers.get(name), collector.distinct.get(name)
        return ColumnState(
            name,
            scalars["rows"],
            scalars[f"{place}.nulls"],
            numbers.moments if numbers else None,
            collector.lengths[name].moments if name in collector.lengths else None,
            distinct.distinct() if distinct else None,
            numbers.digest() if numbers else None,
        )

    @property
    def _scalars(self) -> list[pl.Expr]:
        nulls = [column(name).null_count().alias(f"{place}.nulls") for place, name in enumerate(self.schema)]
        return [pl.len().alias("rows"), *nulls]


def column(name: str) -> pl.Expr:
    """Selects the column of exactly this name: `pl.col` takes `^a$` for a pattern."""
    return cs.by_name(name).as_expr()


def number(name: str, dtype: pl.DataType) -> pl.Expr:
    """Returns a column's values as floats, null where not finite; dates and times in seconds, as in ColumnMetrics."""
    value = column(name)
    match dtype:
        case pl.Date():
            return value.cast(pl.Int32).cast(pl.Float64) * 86_400
        case pl.Datetime():
            return _divided(value.dt.timestamp("us"), 1e6)
        case pl.Time():
            return _divided(value.cast(pl.Int64), 1e9)
        case pl.Duration():
            return _divided(value.dt.total_microseconds(), 1e6)
    value = value.cast(pl.Float64)
    # Adding 0 makes a negative zero an ordinary one.
    return pl.when(value.is_finite()).then(value + 0.0) if dtype.is_float() else value


def _divided(value: pl.Expr, by: float) -> pl.Expr:
    """The quotient, correctly rounded: by a literal, Polars multiplies by its inverse, and 60 s of nanoseconds are 60.00000000000001 s."""
    return value / (value * 0 + by)


def is_number(dtype: pl.DataType) -> bool:
    """Whether a column of this type has moments, quantiles and outliers."""
    return dtype.is_numeric() or dtype.is_temporal() or isinstance(dtype, pl.Boolean)


def _is_opaque(dtype: pl.DataType) -> bool:
    """Whether the column's distinct values are not counted."""
    return dtype.is_nested() or isinstance(dtype, pl.Object | pl.Null)


def _moments_of(numbers: np.ndarray) -> Moments:
    """The moments of some numbers; shape (n,), n > 0."""
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers beyond 1e154 the squares are infinite
        mean = numbers.mean()
        squares = sum(float(np.square(block - mean).sum()) for block in blocks(numbers))
    return Moments(len(numbers), float(mean), squares, float(numbers.min()), float(numbers.max()))
