"""Measures the columns of a batch in the same pass that judges its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from polars import selectors as cs

from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.monitoring.metrics.digest import MOMENTS, NUMBERS, Buckets, Digest
from dq_pipelines.monitoring.metrics.distinct import Distinct, DistinctBuilder
from dq_pipelines.monitoring.metrics.state import ColumnState, Moments

#: Rows per chunk: the CSV reader alone would give a few thousand at a time.
_AT_ONCE = 200_000

_MOMENTS = ("values", "mean", "variance", "min", "max")


class Sketches:
    """Collects the sketches of all columns; each chunk of rows is added once.

    It is one sink of the plan, not a group-by per column. Polars would feed each group-by separately, and buffer rows for
    the slowest. (6 million CSV rows took 3.1 GB that way, and 1.2 GB this way.) A Python node in the plan would make
    Polars run the plan above it twice.
    """

    def __init__(self, schema: Mapping[str, pl.DataType]) -> None:
        self._numbers = {name: dtype for name, dtype in schema.items() if is_number(dtype)}
        self.distinct = {name: DistinctBuilder() for name, dtype in schema.items() if not _is_opaque(dtype)}
        self.buckets = {
            name: Buckets(MOMENTS if dtype.is_temporal() else NUMBERS) for name, dtype in self._numbers.items()
        }

    def add(self, rows: pl.DataFrame) -> None:
        """Adds some rows."""
        if rows.is_empty():
            return
        for name, distinct in self.distinct.items():
            distinct.add(rows.get_column(name))
        numbers = rows.select(number(name, dtype).alias(name) for name, dtype in self._numbers.items())
        for name, buckets in self.buckets.items():
            buckets.add(numbers.get_column(name))


class Measurement:
    """Measures the columns of one frame: collect `frames` once, then pass the results to `metrics`."""

    def __init__(self, schema: Mapping[str, pl.DataType], *, sketches: bool = True) -> None:
        self.schema = schema
        self._sketches = Sketches(schema) if sketches else None

    def frames(self, rows: pl.LazyFrame) -> list[pl.LazyFrame]:
        """Returns lazy frames to collect: counts and moments of all columns, and a sink that fills the sketches."""
        frames = [rows.select(self._scalars)]
        if self._sketches is not None and self._sketches.distinct:
            columns = rows.select(column(name) for name in self._sketches.distinct)
            frames.append(
                columns.sink_batches(self._sketches.add, chunk_size=_AT_ONCE, maintain_order=False, lazy=True)
            )
        return frames

    def metrics(self, frames: Sequence[pl.DataFrame]) -> tuple[ColumnMetrics, ...]:
        """Returns the metrics of each column from the collected frames."""
        scalars = frames[0].row(0, named=True)
        return tuple(
            ColumnState(
                name,
                scalars["rows"],
                scalars[f"{place}.nulls"],
                _moments(scalars, f"{place}.number"),
                _moments(scalars, f"{place}.length"),
                *self._sketched(name),
            ).metrics()
            for place, name in enumerate(self.schema)
        )

    def _sketched(self, name: str) -> tuple[Distinct | None, Digest | None]:
        if self._sketches is None or name not in self._sketches.distinct:
            return None, None
        digest = self._sketches.buckets[name].digest() if name in self._sketches.buckets else None
        return self._sketches.distinct[name].distinct(), digest if digest is not None and len(digest.means) else None

    @property
    def _scalars(self) -> list[pl.Expr]:
        wanted = [pl.len().alias("rows")]
        for place, (name, dtype) in enumerate(self.schema.items()):
            wanted.append(column(name).null_count().alias(f"{place}.nulls"))
            if is_number(dtype):
                wanted += _measured(number(name, dtype), f"{place}.number")
            elif isinstance(dtype, pl.String):
                wanted += _measured(column(name).str.len_chars(), f"{place}.length")
        return wanted


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
            return value.dt.timestamp("us") / 1e6
        case pl.Time():
            return value.cast(pl.Int64) / 1e9
        case pl.Duration():
            return value.dt.total_microseconds() / 1e6
    value = value.cast(pl.Float64)
    return pl.when(value.is_finite()).then(value) if dtype.is_float() else value


def is_number(dtype: pl.DataType) -> bool:
    """Whether a column of this type has moments, quantiles and outliers."""
    return dtype.is_numeric() or dtype.is_temporal() or isinstance(dtype, pl.Boolean)


def _is_opaque(dtype: pl.DataType) -> bool:
    """Whether the column's distinct values are not counted."""
    return dtype.is_nested() or isinstance(dtype, pl.Object | pl.Null)


def _measured(value: pl.Expr, name: str) -> list[pl.Expr]:
    measures = (value.count(), value.mean(), value.var(), value.min(), value.max())
    return [measure.alias(f"{name}.{what}") for measure, what in zip(measures, _MOMENTS, strict=True)]


def _moments(scalars: Mapping[str, Any], name: str) -> Moments | None:
    count = scalars.get(f"{name}.values")
    if not count:
        return None
    _, mean, variance, least, most = (scalars[f"{name}.{what}"] for what in _MOMENTS)
    return Moments(count, mean, (variance or 0.0) * (count - 1), float(least), float(most))
