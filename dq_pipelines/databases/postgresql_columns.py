"""Columns of PostgreSQL: how each type is read without a loss, and which values no other engine has."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from dq_pipelines.databases.session import Column

if TYPE_CHECKING:
    import polars as pl

#: A numeric's digits that a decimal of Polars holds.
_MOST_DIGITS = 38
#: Dates that Python and other engines have lie from the first to before the second.
_LEAST_DAY, _AFTER_LAST_DAY = "0001-01-01", "10000-01-01"


def column_of(name: str, type_: str, category: str, precision: int | None, scale: int | None, quoted: str) -> Column:
    """A column by what the server says of a query's result."""
    import polars as pl

    plain: dict[str, pl.DataType] = {
        "bool": pl.Boolean(), "int2": pl.Int16(), "int4": pl.Int32(), "int8": pl.Int64(), "float4": pl.Float32(),
        "float8": pl.Float64(), "text": pl.String(), "varchar": pl.String(), "bytea": pl.Binary(), "time": pl.Time(),
    }  # fmt: skip
    value = f"_dq.{quoted}"
    if type_ in plain:
        return Column(name, type_, plain[type_], value)
    if type_ in ("date", "timestamp", "timestamptz"):
        dtype = pl.Date() if type_ == "date" else pl.Datetime("us", "UTC" if type_ == "timestamptz" else None)
        # Infinite ones come as moments before all others, since the driver's sum of days or microseconds overflows.
        unsound = f"({value} < '{_LEAST_DAY}' OR {value} >= '{_AFTER_LAST_DAY}')"
        return Column(name, type_, dtype, value, unsound)
    # A numeric with declared digits may be NaN, and cannot be infinite.
    if type_ == "numeric" and precision and precision <= _MOST_DIGITS and 0 <= (scale or 0) <= precision:
        return Column(name, type_, pl.Decimal(precision, scale or 0), f"{value}::text", f"{value} = 'NaN'")
    if type_ == "oid":
        return Column(name, type_, pl.Int64(), f"{value}::int8")
    if category == "A":
        return Column(name, type_, pl.String(), f"array_to_json({value})::text")
    return Column(name, type_, pl.String(), f"{value}::text")


def value_of(raw: pl.DataFrame, column: Column) -> pl.Series:
    """The values of a column in its type: null for those that it cannot hold."""
    values = raw.get_column(column.name)
    return values.cast(column.dtype, strict=False) if values.dtype != column.dtype else values


def is_unreadable(raw: pl.DataFrame, value: pl.Series, column: Column) -> pl.Series | bool:
    """Which rows have a value in this column that its type cannot hold; `value` is what `value_of` gives."""
    import polars as pl

    values = raw.get_column(column.name)
    if not column.unsound:
        return False
    if column.dtype.is_decimal():
        return values.is_not_null() & value.is_null()
    least, after = (date.fromisoformat(_LEAST_DAY) - date(1970, 1, 1)).days, (date.max - date(1970, 1, 1)).days + 1
    unit = 1 if column.dtype == pl.Date else 86_400_000_000
    points = values.to_physical()
    return ((points < least * unit) | (points >= after * unit)).fill_null(False)
