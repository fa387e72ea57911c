"""Column types as YAML names them, and how a landed value becomes one without losing what does not fit.

A value that does not fit gives null; the silver layer compares with the landed value and refuses
the row with the reason `cast`. Nothing is rounded or cut in silence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import polars as pl
from pydantic import AfterValidator, WithJsonSchema

from dq_pipelines.errors import nearest

_SIMPLE: dict[str, pl.DataType] = {
    "string": pl.String(),
    "boolean": pl.Boolean(),
    "int8": pl.Int8(),
    "int16": pl.Int16(),
    "int32": pl.Int32(),
    "int64": pl.Int64(),
    "float32": pl.Float32(),
    "float64": pl.Float64(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
    "timestamp": pl.Datetime("us", "UTC"),
    "binary": pl.Binary(),
}
_SYNONYMS = {
    "text": "string", "str": "string", "varchar": "string", "bool": "boolean", "byte": "int8", "short": "int16",
    "int": "int64", "integer": "int32", "long": "int64", "bigint": "int64", "smallint": "int16", "tinyint": "int8",
    "float": "float32", "double": "float64", "real": "float32", "timestamp_ntz": "datetime",
}  # fmt: skip
_DECIMAL = re.compile(r"(?:decimal|numeric)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")

#: ISO 8601, tried in this order where a column gives no `format`. What is in none of them has an offset (`%+`).
#: The first two are quick, 0.2 s of CPU for 6 million texts; with a fraction Polars takes seven times as long.
_DATETIME_FORMATS = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"),
    *("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d"),
)
#: The column of texts within a cast.
_TEXT = "text"
_TRUE, _FALSE = ["true", "t", "yes", "y", "1"], ["false", "f", "no", "n", "0"]


def type_names() -> list[str]:
    """The types as they are written, without synonyms."""
    return [*_SIMPLE, "decimal(p,s)"]


def dtype_of(name: str) -> pl.DataType:
    """The Polars type of a type's name; raises ValueError with the nearest name."""
    wanted = name.strip().lower()
    wanted = _SYNONYMS.get(wanted, wanted)
    if wanted in _SIMPLE:
        return _SIMPLE[wanted]
    if wanted.startswith(("decimal(", "numeric(")) and ")" not in wanted:
        raise ValueError(f"wanted decimal(p,s) in quotes, got '{name}': between braces a comma ends it")
    if match := _DECIMAL.fullmatch(wanted):
        precision, scale = int(match[1]), int(match[2] or 0)
        if not 1 <= precision <= 38 or scale > precision:
            raise ValueError(f"wanted decimal(p,s) with 1 <= p <= 38 and s <= p, got '{name}'")
        return pl.Decimal(precision, scale)
    raise ValueError(f"unknown type '{name}'{nearest(wanted, [*_SIMPLE, *_SYNONYMS, 'decimal(12,2)'])}")


def _known(name: str) -> str:
    dtype_of(name)
    return name


#: A type's name in YAML, known to be one.
TypeName = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema(
        {"anyOf": [{"enum": [*_SIMPLE, *_SYNONYMS]}, {"type": "string", "pattern": rf"^ *{_DECIMAL.pattern} *$"}]}
    ),
]


def typed(value: pl.Expr, landed: pl.DataType, wanted: pl.DataType, format: str | None = None) -> pl.Expr:
    """`value` of type `landed` as `wanted`; null where it does not fit exactly."""
    if landed == wanted or isinstance(landed, pl.Null):
        return value.cast(wanted)
    if isinstance(landed, pl.String):
        return _from_text(value, wanted, format)
    if isinstance(wanted, pl.String):
        return value.dt.to_string(format) if format and landed.is_temporal() else value.cast(wanted, strict=False)
    if landed.is_float() and wanted.is_integer():
        return pl.when(value == value.round(0)).then(value).cast(wanted, strict=False)
    if isinstance(landed, pl.Datetime) and isinstance(wanted, pl.Datetime) and landed.time_zone != wanted.time_zone:
        return _zoned(value, landed, wanted)
    return value.cast(wanted, strict=False)


def _from_text(value: pl.Expr, wanted: pl.DataType, format: str | None) -> pl.Expr:
    if isinstance(wanted, pl.Binary):
        return value.cast(wanted)
    if isinstance(wanted, pl.Boolean):
        lower = value.str.strip_chars().str.to_lowercase()
        return pl.when(lower.is_in(_TRUE)).then(True).when(lower.is_in(_FALSE)).then(False)
    return _first_of(value, _attempts(pl.col(_TEXT), wanted, format), wanted)


def _attempts(text: pl.Expr, wanted: pl.DataType, format: str | None) -> list[pl.Expr]:
    """How a text may be read, the quickest way first; null where a way does not fit.

    Without Polars' cache of dates, which takes twice as long as it saves, also where few dates come again and again.
    """
    trimmed = text.str.strip_chars()
    if isinstance(wanted, pl.Date):
        return [each.str.to_date(format or "%Y-%m-%d", strict=False, cache=False) for each in (text, trimmed)]
    if isinstance(wanted, pl.Datetime):
        return _moments(trimmed, wanted, format)
    if isinstance(wanted, pl.Decimal):
        return _decimals(text, trimmed, wanted)
    return [each.cast(wanted, strict=False) for each in (text, trimmed)]


def _first_of(value: pl.Expr, attempts: Sequence[pl.Expr], wanted: pl.DataType) -> pl.Expr:
    """The first attempt on the text `value` that gives one, as `pl.coalesce` would say.

    But no further attempt is made on a morsel of which each text has its value: to trim and to parse exactly where
    there is nothing to trim and few decimals was two thirds of all casts, 3 s of CPU for 11 columns of 6 million rows.
    """

    def tried(texts: pl.Series) -> pl.Series:
        frame = texts.to_frame(_TEXT)
        found = frame.select_seq(attempts[0]).to_series()
        for attempt in attempts[1:]:
            if found.null_count() == texts.null_count():
                break
            found = found.zip_with(found.is_not_null(), frame.select_seq(attempt).to_series())
        return found.alias(texts.name)

    return value.map_batches(tried, return_dtype=wanted, is_elementwise=True)


def _decimals(text: pl.Expr, trimmed: pl.Expr, wanted: pl.Decimal) -> list[pl.Expr]:
    """Polars rounds what has too many decimals; a sum of money must not change in silence."""
    short = ~text.str.contains(rf"[eE]|\.[0-9]{{{wanted.scale + 1}}}")
    number = trimmed.cast(wanted, strict=False)
    exact = trimmed.cast(pl.Decimal(38, min(wanted.scale + 8, 37)), strict=False)
    return [pl.when(short).then(text.cast(wanted, strict=False)), pl.when(number == exact).then(number)]


def _moments(text: pl.Expr, wanted: pl.Datetime, format: str | None) -> list[pl.Expr]:
    naive, utc = pl.Datetime("us"), pl.Datetime("us", "UTC")
    if format is not None:
        parsed = text.str.to_datetime(format, time_unit="us", strict=False, cache=False)
        return [_zoned(parsed, utc if "%z" in format or "%#z" in format else naive, wanted)]
    local = [text.str.to_datetime(each, time_unit="us", strict=False, cache=False) for each in _DATETIME_FORMATS]
    offset = text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False, cache=False)
    return [*(_zoned(each, naive, wanted) for each in local), _zoned(offset, utc, wanted)]


def _zoned(value: pl.Expr, landed: pl.Datetime, wanted: pl.Datetime) -> pl.Expr:
    """A moment in the wanted zone; one without a zone is taken for UTC."""
    utc = value if landed.time_zone else value.dt.replace_time_zone("UTC")
    if wanted.time_zone is None:
        return utc.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(wanted)
    return utc.dt.convert_time_zone(wanted.time_zone).cast(wanted)


def name_of(dtype: pl.DataType) -> str:
    """A Polars type as YAML names it; types that YAML has no name for as Polars writes them."""
    if isinstance(dtype, pl.Decimal):
        return f"decimal({dtype.precision},{dtype.scale})"
    return next((name for name, known in _SIMPLE.items() if known == dtype), str(dtype))
