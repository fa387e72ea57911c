"""Converts rows to the types of a format, without changing a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.errors import PublishError
from dq_pipelines.transforms.to_text import to_text

#: Maps a type to the type that stores its values; None where the format has none.
StoredType = Callable[[pl.DataType], pl.DataType | None]


def storable(frame: pl.LazyFrame, stored_type: StoredType, *, untyped: bool = True) -> pl.LazyFrame:
    """`frame` with every column in the type in which it is stored; columns of type Null stay so unless `untyped`.

    Raises PublishError for a column of a type that cannot be stored.
    """
    conversion = _Conversion(stored_type)
    changed = []
    for name, dtype in frame.collect_schema().items():
        wanted = stored_type(dtype)
        if wanted is None:
            raise PublishError(f"wanted types that the table's format can store, got column '{name}' of type {dtype}")
        if wanted != dtype and (untyped or dtype != pl.Null):
            changed.append(conversion.of(pl.col(exact(name)), dtype, wanted).alias(name))
    return frame.with_columns(changed)


class _Conversion:
    """A value converted from its type to the stored type."""

    def __init__(self, stored_type: StoredType) -> None:
        self._stored_type = stored_type

    def of(self, value: pl.Expr, dtype: pl.DataType, wanted: pl.DataType) -> pl.Expr:
        if isinstance(dtype, pl.Time | pl.Duration) and wanted == pl.String:
            return to_text(value, dtype)  # Polars drops decimals of a second, and a number would not show its unit
        if not _holds_times(dtype):
            return value.cast(wanted)
        if isinstance(dtype, pl.Struct) and isinstance(wanted, pl.Struct):
            fields = [
                self.of(value.struct.field(one.name), _instance(one.dtype), _instance(other.dtype)).alias(one.name)
                for one, other in zip(dtype.fields, wanted.fields, strict=True)
            ]
            return pl.when(value.is_not_null()).then(pl.struct(fields))
        inner = _instance(dtype.inner)  # type: ignore[attr-defined] # a list or an array
        as_list = value.arr.to_list() if isinstance(dtype, pl.Array) else value
        return as_list.list.eval(self.of(pl.element(), inner, self._stored_type(inner) or inner))


def _holds_times(dtype: pl.DataType) -> bool:
    """Whether a nested type contains times of day or durations."""
    if isinstance(dtype, pl.List | pl.Array):
        return _holds_times(_instance(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return any(_holds_times(_instance(field.dtype)) for field in dtype.fields)
    return isinstance(dtype, pl.Time | pl.Duration)


def _instance(dtype: object) -> pl.DataType:
    return cast("pl.DataType", dtype)
