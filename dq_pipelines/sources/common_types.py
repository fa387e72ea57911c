"""Values of one file in the type that all files of a batch have in common. Which type that is belongs in `frames`."""

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
    found = plain.cast(pl.Datetime("us", kind.time_zone), strict=False)
    back = found.cast(values.dtype, strict=False)
    if (
        not (back.to_physical() == plain.to_physical()).all(ignore_nulls=True)
        or found.null_count() > values.null_count()
    ):
        raise SourceError(
            f"{source}: column '{values.name}': wanted microseconds, as in other files of the batch, got a moment that "
            "they cannot hold: let the file come alone, and such rows are refused one by one"
        )
    return found.alias(values.name)
