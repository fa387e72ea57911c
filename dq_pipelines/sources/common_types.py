"""The type that all files of a batch have in common for a column, and the values of one file in that type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dq_pipelines.errors import SourceError
from dq_pipelines.sources.float_text import float_text

if TYPE_CHECKING:
    import polars as pl


def in_type(values: pl.Series, kind: pl.DataType, source: str) -> pl.Series:
    """The values of a file in the type of the batch; raises SourceError where they would change."""
    import polars as pl

    if kind == pl.String and values.dtype.is_float():
        return values.alias("x").to_frame().select(float_text(pl.col("x"))).to_series()
    if isinstance(kind, pl.Datetime) and isinstance(values.dtype, pl.Datetime) and values.dtype != kind:
        return _in_microseconds(values, kind, source)
    return values.cast(kind)


def common_moments(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    """The type in which bronze stores moments of both: microseconds, in UTC where they have a zone."""
    import polars as pl

    if not isinstance(one, pl.Datetime) or not isinstance(other, pl.Datetime):
        return None
    if (one.time_zone is None) != (other.time_zone is None):
        return None
    same = one.time_zone == other.time_zone
    return pl.Datetime("us", one.time_zone if same else "UTC")


def _in_microseconds(values: pl.Series, kind: pl.Datetime, source: str) -> pl.Series:
    """Moments of another unit or zone in a batch's common type; raises SourceError for one that is no whole microsecond."""
    import polars as pl

    plain = values.alias("x")
    converted = plain.cast(pl.Datetime("us", kind.time_zone), strict=False)
    back = converted.cast(values.dtype, strict=False)
    if (
        not (back.to_physical() == plain.to_physical()).all(ignore_nulls=True)
        or converted.null_count() > values.null_count()
    ):
        raise SourceError(
            f"{source}: column '{values.name}': wanted microseconds, as in other files of the batch, got a moment that "
            "they cannot hold: let the file come alone, and such rows are refused one by one"
        )
    return converted.alias(values.name)


def widened(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    """The type that holds every value of both unchanged, or None."""
    import polars as pl

    for narrow, wide in ((one, other), (other, one)):
        if narrow == pl.Null or _holds(wide, narrow):
            return wide
    if one.is_integer() and other.is_integer():  # a signed and an unsigned of the same width or wider
        return pl.Int64() if pl.UInt64 not in (one, other) else None
    if pl.Float32 in (one, other) and (one.is_integer() or other.is_integer()):
        return pl.Float64() if _digits(one if one.is_integer() else other) <= _digits(pl.Float64()) else None
    return None


def _holds(wide: pl.DataType, narrow: pl.DataType) -> bool:
    import polars as pl

    if wide == pl.String:
        return isinstance(narrow, pl.Categorical | pl.Enum)
    if isinstance(wide, pl.Datetime):
        finer = {"ms": 0, "us": 1, "ns": 2}
        # Nanoseconds reach only from 1677 to 2262: widening to them could lose a date.
        return (narrow == pl.Date and wide.time_zone is None and wide.time_unit != "ns") or (
            isinstance(narrow, pl.Datetime)
            and narrow.time_zone == wide.time_zone
            and wide.time_unit != "ns"
            and finer[narrow.time_unit] <= finer[wide.time_unit]
        )
    if wide.is_integer() and narrow.is_integer():
        return _digits(narrow) <= _digits(wide) and (wide.is_signed_integer() or narrow.is_unsigned_integer())
    if wide.is_float():
        return (narrow.is_integer() or narrow.is_float()) and _digits(narrow) <= _digits(wide)
    if isinstance(wide, pl.Decimal) and isinstance(narrow, pl.Decimal):
        whole = wide.precision - wide.scale >= narrow.precision - narrow.scale
        return whole and wide.scale >= narrow.scale
    return False


def _digits(kind: pl.DataType) -> int:
    """How many bits of an integer the type keeps exactly."""
    import polars as pl

    bits: dict[type[pl.DataType], int] = {
        pl.Int8: 7, pl.UInt8: 8, pl.Int16: 15, pl.UInt16: 16, pl.Float32: 24, pl.Int32: 31, pl.UInt32: 32,
        pl.Float64: 53, pl.Int64: 63, pl.UInt64: 64,
    }  # fmt: skip
    return bits.get(kind.base_type(), 128)
