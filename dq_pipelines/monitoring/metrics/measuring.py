"""Measuring the columns of a batch: frames that are taken out of the judge's own pass, and what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl
from polars import selectors as cs

from dq_pipelines.history.metrics import ColumnMetrics
from dq_pipelines.monitoring.metrics.digest import MOMENTS, NUMBERS, Digest, buckets
from dq_pipelines.monitoring.metrics.distinct import Distinct, registers
from dq_pipelines.monitoring.metrics.state import ColumnState, Moments

_MOMENTS = ("values", "mean", "variance", "min", "max")


@dataclass(frozen=True)
class Measuring:
    """The columns of one frame that are measured; `frames` are to be collected, in their order, and given to `found`."""

    schema: Mapping[str, pl.DataType]
    #: whether different values and quantiles are measured too, which costs a grouping for each column
    sketches: bool = True

    def frames(self, rows: pl.LazyFrame) -> list[pl.LazyFrame]:
        """Small frames of `rows`: the counts and moments of all columns, then the sketches of each."""
        frames = [rows.select(self._scalars)]
        frames += [registers(rows, column(name)) for name in self._hashed]
        for name in self._weighed:
            bits = MOMENTS if self.schema[name].is_temporal() else NUMBERS
            frames.append(buckets(rows, number(name, self.schema[name]), bits))
        return frames

    def found(self, frames: Sequence[pl.DataFrame]) -> tuple[ColumnMetrics, ...]:
        """What the frames said, by column."""
        scalars = frames[0].row(0, named=True)
        rest = iter(frames[1:])
        distinct = {name: Distinct.of(next(rest)) for name in self._hashed}
        digests = {name: Digest.of(next(rest)) for name in self._weighed}
        return tuple(
            ColumnState(
                name,
                scalars["rows"],
                scalars[f"{place}.nulls"],
                _moments(scalars, f"{place}.number"),
                _moments(scalars, f"{place}.length"),
                distinct.get(name),
                digests[name] if name in digests and len(digests[name].means) else None,
            ).metrics()
            for place, name in enumerate(self.schema)
        )

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

    @cached_property
    def _hashed(self) -> list[str]:
        return [name for name, dtype in self.schema.items() if self.sketches and not _is_opaque(dtype)]

    @cached_property
    def _weighed(self) -> list[str]:
        return [name for name, dtype in self.schema.items() if self.sketches and is_number(dtype)]


def column(name: str) -> pl.Expr:
    """The column of exactly this name: `pl.col` takes `^a$` for a pattern."""
    return cs.by_name(name).as_expr()


def number(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column's values as floats, null where they are not finite; moments in seconds, as ColumnMetrics says."""
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
    """Whether nobody asks how many different values there are."""
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
