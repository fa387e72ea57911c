"""Checks which options a column's type allows, when a project is loaded."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dq_pipelines.transforms.formats import checked_format
from dq_pipelines.transforms.options import CastOptions
from dq_pipelines.transforms.types import dtype_of


def wrong_options(type_name: str, options: CastOptions) -> str | None:
    """One sentence about wrong options for a column of this type, or None."""
    return next(_wrong(type_name, dtype_of(type_name), options), None)


def _wrong(name: str, dtype: pl.DataType, options: CastOptions) -> Iterator[str]:
    is_moment = isinstance(dtype, pl.Date | pl.Datetime)
    readings = [each for each in ("format", "unit", "origin") if getattr(options, each) is not None]
    if len(readings) > 1:
        yield f"wanted one of format, unit and origin, got {' and '.join(readings)}"
    if options.round is not None and not (dtype.is_integer() or isinstance(dtype, pl.Decimal | pl.Float32)):
        yield f"round is for integers, decimals and float32, got type {name}"
    if options.round not in (None, "half_even") and isinstance(dtype, pl.Float32):
        yield f"float32 takes round: half_even only, got {options.round}"
    if options.unit is not None and not (is_moment or dtype.is_integer()):
        yield f"unit is for date, datetime, timestamp and integers, got type {name}"
    if options.origin is not None and not is_moment:
        yield f"origin is for date, datetime and timestamp, got type {name}"
    if options.trim and not isinstance(dtype, pl.String):
        yield f"trim is for string, since other types ignore blanks anyway, got type {name}"
    if options.format is not None:
        if not (is_moment or dtype.is_integer() or isinstance(dtype, pl.String)):
            yield f"format is for date, datetime, timestamp, integers and string, got type {name}"
        try:
            checked_format(options.format, dtype)
        except ValueError as error:
            yield str(error)
