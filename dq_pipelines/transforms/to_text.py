"""Converts values of any type to text without loss: for `string` columns, and for display."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from dq_pipelines.sources.float_text import float_text
from dq_pipelines.transforms.attempts import each, first_of, selected
from dq_pipelines.transforms.formats import are_within_years, within_years
from dq_pipelines.transforms.moments import converted

#: With decimals of a second only if there are any.
_TIME = "%H:%M:%S%.f"
#: Types that Polars writes as JSON without loss; it does not support bytes, and NaN becomes null.
_PLAIN = (pl.String, pl.Boolean, pl.Date, pl.Datetime, pl.Decimal, pl.Null)


def to_text(value: pl.Expr, landed: pl.DataType, format: str | None = None) -> pl.Expr:
    """Values of a type as text; null for bytes that are not UTF-8."""
    if isinstance(landed, pl.Date | pl.Datetime):
        within = converted(
            value, landed, pl.Date() if isinstance(landed, pl.Date) else pl.Datetime("us", landed.time_zone)
        )
        return within.cast(pl.String) if format is None else within.dt.to_string(format)
    if landed.is_float():
        return float_text(value)
    if isinstance(landed, pl.Time):
        return value.dt.to_string(_TIME)
    if isinstance(landed, pl.Duration):
        return value.dt.to_string("iso")
    if isinstance(landed, pl.Binary):
        return first_of(value, [_decoded], pl.String())
    if landed.is_nested():
        return first_of(value, [lambda values: _json(values, strict=True)], pl.String())
    return value.cast(pl.String, strict=False)


def shown(value: pl.Expr) -> pl.Expr:
    """Values of any type as readable text, also those for which `to_text` gives null."""
    return first_of(value, [shown_texts], pl.String())


def stored_text(value: pl.Expr, landed: pl.DataType) -> pl.Expr:
    """Values of a type for a column that has become text: as by `to_text`, but never null for a value."""
    return to_text(value, landed) if landed.is_float() else shown(value)


def shown_texts(values: pl.Series) -> pl.Series:
    """`shown` for a series."""
    dtype = values.dtype
    if isinstance(dtype, pl.Binary):
        return each(values, lambda some: some.decode("utf-8", "backslashreplace"), pl.String())
    if dtype.is_nested():
        return _json(values, strict=False)
    if isinstance(dtype, pl.Date) and are_within_years(values):
        return values.cast(pl.String)
    if isinstance(dtype, pl.Date | pl.Datetime):
        # Beyond the supported years the text is a count: formatting by Polars would crash the process.
        unit = "days" if isinstance(dtype, pl.Date) else dtype.time_unit
        count = pl.format("{} {} since 1970-01-01", pl.col("value").to_physical(), pl.lit(unit))
        finer = within_years(pl.col("value"), dtype).cast(pl.String)
        return selected(values, lambda value: pl.coalesce(to_text(value, dtype), finer, count))
    if isinstance(dtype, pl.Time | pl.Duration):
        return selected(values, lambda value: to_text(value, dtype))
    return values.cast(pl.String, strict=False)


def _decoded(values: pl.Series) -> pl.Series:
    try:
        return values.cast(pl.String)
    except pl.exceptions.PolarsError:
        return each(values, _utf8, pl.String())


def _utf8(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _json(values: pl.Series, *, strict: bool) -> pl.Series:
    if _is_plain(values.dtype):
        return selected(values, json_text)
    return each(values, lambda value: _dumped(value, strict=strict), pl.String())


def json_text(value: pl.Expr) -> pl.Expr:
    """Nested values as JSON by Polars, which supports only structs: the value is wrapped as `{"":[1,2]}`, then unwrapped."""
    wrapped = pl.struct(value.alias("")).struct.json_encode()
    return pl.when(value.is_not_null()).then(wrapped.str.slice(4).str.head(-1))


def _is_plain(dtype: Any) -> bool:
    if isinstance(dtype, pl.List | pl.Array):
        return _is_plain(dtype.inner)
    if isinstance(dtype, pl.Struct):
        return all(_is_plain(field.dtype) for field in dtype.fields)
    return isinstance(dtype, _PLAIN) or bool(dtype.is_integer())


def _dumped(value: Any, *, strict: bool) -> str | None:
    """One value as JSON; with `strict`, None for bytes that are not UTF-8."""

    def plain(part: Any) -> str:
        match part:
            case bytes():
                return part.decode("utf-8", "strict" if strict else "backslashreplace")
            case datetime() | date() | time() | Decimal():
                return str(part)
            case timedelta():
                return f"PT{Decimal(part // timedelta(microseconds=1)) / 1_000_000}S"
        return str(part)

    try:
        return json.dumps(value, default=plain, ensure_ascii=False, separators=(",", ":"))
    except UnicodeDecodeError:
        return None
