"""Maps types to the types that Delta stores, and names the folder of its log."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

#: The folder of a table's log, beneath the table.
FOLDER = "_delta_log"

#: Delta has no unsigned integers, none of 128 bits, no floats of 16, no time of day, no dictionary and no duration.
_WIDENED: Mapping[type[pl.DataType], pl.DataType] = {
    pl.UInt8: pl.Int16(),
    pl.UInt16: pl.Int32(),
    pl.UInt32: pl.Int64(),
    pl.UInt64: pl.Decimal(20, 0),
    pl.Int128: pl.Decimal(38, 0),
    pl.UInt128: pl.Decimal(38, 0),
    pl.Float16: pl.Float32(),
    pl.Time: pl.String(),
    pl.Duration: pl.String(),
    pl.Categorical: pl.String(),
    pl.Enum: pl.String(),
    pl.Null: pl.String(),
}


def delta_type(dtype: pl.DataType) -> pl.DataType:
    """The Delta type that stores values of a type. Moments must be whole microseconds within Delta's range."""
    if isinstance(dtype, pl.Datetime) and dtype.time_unit != "us":
        return pl.Datetime("us", dtype.time_zone)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone not in (None, "UTC"):
        return pl.Datetime("us", "UTC")
    if isinstance(dtype, pl.List):
        return pl.List(delta_type(dtype.inner))  # type: ignore[arg-type]
    if isinstance(dtype, pl.Array):
        return pl.List(delta_type(dtype.inner))  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return pl.Struct({field.name: delta_type(field.dtype) for field in dtype.fields})  # type: ignore[arg-type]
    return _WIDENED.get(type(dtype), dtype)
