"""Infers the type of a column; of text, by silver's own casts, so that a suggested type fits there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Literal

import polars as pl

from dq_pipelines.monitoring.profile.null_markers import is_marker
from dq_pipelines.transforms.casting import typed
from dq_pipelines.transforms.options import CastOptions
from dq_pipelines.transforms.types import dtype_of, name_of

Kind = Literal["integer", "decimal", "float", "boolean", "date", "datetime", "text", "other"]

#: The share of a text column's values, without null markers, that must fit a type.
ENOUGH = 0.9
#: Number of values that are tried first, to reject most types quickly.
_TRIED = 200
#: Date formats other than ISO. Of ambiguous ones, the day comes first.
_DATES = (
    *("%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y"),
    *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y"),
)
_TIMES = (" %H:%M:%S", " %H:%M", "T%H:%M:%S", " %I:%M:%S %p", " %I:%M %p", " %H:%M:%S%.f", "T%H:%M:%S%.f")
_TRUTHS = frozenset({"true", "false", "yes", "no", "t", "f", "y", "n"})
_OFFSET = r"(?:Z|[+-][0-9]{2}:?[0-9]{2})$"
_DATED = re.compile(r"[0-9].*[0-9/. -]")
_SHORT_YEAR = r"[0-9]{1,2}[^0-9].+[^0-9][0-9]{2}([ T]|$)"
#: A code that a number would change: leading zeros, or the plus of a telephone number.
_CODE = r"^\s*(\+[0-9]{7}|[+-]?0[0-9])"
#: int64 holds every whole number, and float64 every number, of so many digits.
_WHOLE_DIGITS, _FLOAT_DIGITS = 18, 17
#: Everything but the significant digits: sign, leading zeros, point and exponent.
_INSIGNIFICANT = r"^\s*[+-]?[0.]*|[eE].*$|[^0-9]"
_YEARS = (datetime(1000, 1, 1), datetime(3000, 1, 1))  # noqa: DTZ001


@dataclass(frozen=True)
class InferredType:
    """The type of a column's values, or the type that texts can be parsed as."""

    kind: Kind
    #: the type as YAML names it
    type: str
    #: strftime pattern of dates and times that are no ISO 8601
    format: str | None = None
    #: rows of the sample whose value fits the type
    fits: int = 0
    #: rows of the sample with a null marker
    marked: int = 0
    #: another format that fits as many values: whether day or month comes first is ambiguous
    or_format: str | None = None

    @property
    def is_number(self) -> bool:
        return self.kind in ("integer", "decimal", "float")

    @property
    def is_temporal(self) -> bool:
        return self.kind in ("date", "datetime")


def infer_type(dtype: pl.DataType, values: pl.DataFrame) -> InferredType:
    """Infers a column's type from its dtype, or for text from its distinct values (`value` and `count`)."""
    count = int(values.get_column("count").sum() or 0)
    if not isinstance(dtype, pl.String):
        return InferredType(_kind_of(dtype), name_of(dtype), fits=count)
    among_values = is_marker(pl.col("value"), among_values=True)
    plain = values.filter(~among_values)
    for inferred in _candidates(plain):
        if inferred.fits >= ENOUGH * (total := _rows(plain)) and total:
            return _settled(inferred, plain, values)
    marked = _rows(values.filter(is_marker(pl.col("value"), among_values=False)))
    return InferredType("text", "string", fits=count, marked=marked)


def read_values(values: pl.DataFrame, inferred: InferredType) -> pl.Series:
    """Parses the distinct texts as the inferred type; null where one does not fit."""
    landed = values.schema["value"]
    wanted = pl.col("value") if not isinstance(landed, pl.String) else _read(inferred)
    return values.select(wanted.alias("value")).to_series()


def _read(inferred: InferredType) -> pl.Expr:
    return typed(pl.col("value"), pl.String(), dtype_of(inferred.type), CastOptions(inferred.format))


def _settled(inferred: InferredType, plain: pl.DataFrame, values: pl.DataFrame) -> InferredType:
    marked = _rows(values) - _rows(plain)
    kind, type_ = inferred.kind, inferred.type
    if kind == "float" and (digits := _money(plain)):
        kind, type_ = "decimal", f"decimal({max(12, digits + 4)},2)"
    fits = _fitting(plain, InferredType(kind, type_, inferred.format))
    return InferredType(kind, type_, inferred.format, fits, marked, inferred.or_format)


def _candidates(plain: pl.DataFrame) -> Iterator[InferredType]:
    """Yields possible types of the values, narrowest first, with the number of fitting rows."""
    first = plain.head(_TRIED)
    if plain.is_empty():
        return
    words = set(first.get_column("value").str.strip_chars().str.to_lowercase())
    if len(words & _TRUTHS) > 1:
        fits = plain.filter(pl.col("value").str.strip_chars().str.to_lowercase().is_in(sorted(_TRUTHS)))
        yield InferredType("boolean", "boolean", fits=_rows(fits))
    numbers = [] if _has_codes(plain) else _numbers(plain)
    candidates = [InferredType("date", "date", "%Y%m%d"), *numbers]
    candidates += [InferredType("date", "date"), *_moments(first)]
    for inferred in candidates:
        if _fitting(first, inferred) >= ENOUGH * _rows(first):
            counted = _counted(plain, inferred)
            # With a single fraction among them, the values are no integers.
            if inferred.kind != "integer" or counted.fits >= _fitting(plain, InferredType("float", "float64")):
                yield counted
    yield from _formatted(plain, first)


def _has_codes(plain: pl.DataFrame) -> bool:
    value = plain.get_column("value")
    # `7E12` is a number only among numbers that have a point.
    points = value.str.contains(".", literal=True).any()
    exponents = not points and value.str.contains(r"^\s*[0-9]+[eE][0-9]+\s*$").any()
    return bool(exponents or value.str.contains(_CODE).any())


def _numbers(plain: pl.DataFrame) -> list[InferredType]:
    """Returns number types that hold the values' digits; none where only text does, as for long ids of one length."""
    looks = plain.filter(pl.col("value").str.contains(r"^\s*-?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?\s*$"))
    digits = looks.select(length=pl.col("value").str.replace_all(_INSIGNIFICANT, "").str.len_chars(), count="count")
    longest = int(digits["length"].max() or 0)  # type: ignore[arg-type]
    fractions = looks.filter(pl.col("value").str.contains(r"[.eE]"))
    if fractions.is_empty():
        if longest <= _WHOLE_DIGITS:
            return [InferredType("integer", "int64"), InferredType("float", "float64")]
        return [InferredType("decimal", "decimal(38,0)")] if longest <= 38 and digits["length"].n_unique() > 1 else []
    return [InferredType("integer", "int64"), InferredType("float", "float64")] if longest <= _FLOAT_DIGITS else []


def _moments(first: pl.DataFrame) -> list[InferredType]:
    zoned = first.filter(pl.col("value").str.contains(_OFFSET))
    return [InferredType("datetime", "timestamp" if _rows(zoned) > ENOUGH * _rows(first) else "datetime")]


def _formatted(plain: pl.DataFrame, first: pl.DataFrame) -> Iterator[InferredType]:
    """Yields the best non-ISO format of dates and times, with another one that fits as many values."""
    if not any(_DATED.search(text) for text in first.get_column("value").head(5)):
        return
    dates = [InferredType("date", "date", form) for form in _DATES]
    times = [InferredType("datetime", "datetime", day + time) for day, time in product(_DATES, _TIMES)]
    few = first.head(20)
    fitting = [each for each in dates + times if _fitting(few, each) >= ENOUGH * _rows(few)]
    counted = sorted((_counted(plain, each) for each in fitting), key=lambda each: -each.fits)
    if counted:
        best = counted[0]
        rival = next((each.format for each in counted[1:] if each.fits == best.fits), None)
        yield InferredType(best.kind, best.type, best.format, best.fits, or_format=rival)


def _counted(values: pl.DataFrame, inferred: InferredType) -> InferredType:
    return InferredType(inferred.kind, inferred.type, inferred.format, _fitting(values, inferred))


def _fitting(values: pl.DataFrame, inferred: InferredType) -> int:
    read = values.select(_read(inferred).alias("read"), "count")
    if inferred.format is not None and "%y" in inferred.format:
        read = read.filter(values["value"].str.contains(_SHORT_YEAR))  # 1.2.3 is a version
    if inferred.kind in ("date", "datetime"):
        # chrono takes the year 06 for %Y.
        moment = pl.col("read").cast(pl.Datetime("us"))
        return _rows(read.filter((moment >= _YEARS[0]) & (moment < _YEARS[1])))
    if inferred.kind == "float":
        return _rows(read.filter(pl.col("read").is_finite()))
    return _rows(read.filter(pl.col("read").is_not_null()))


def _money(plain: pl.DataFrame) -> int:
    """Returns the most digits before the point where nearly every number has two decimals; else 0."""
    two = plain.filter(pl.col("value").str.contains(r"^\s*[+-]?[0-9]+\.[0-9]{2}\s*$"))
    if _rows(two) < ENOUGH * _rows(plain):
        return 0
    return int(two.get_column("value").str.strip_chars().str.len_chars().max() or 3) - 3  # type: ignore[arg-type]


def _rows(values: pl.DataFrame) -> int:
    return int(values.get_column("count").sum() or 0)


def _kind_of(dtype: pl.DataType) -> Kind:
    if dtype.is_integer():
        return "integer"
    if isinstance(dtype, pl.Decimal):
        return "decimal"
    if dtype.is_float():
        return "float"
    match dtype:
        case pl.Boolean():
            return "boolean"
        case pl.Date():
            return "date"
        case pl.Datetime():
            return "datetime"
        case pl.String() | pl.Categorical() | pl.Enum():
            return "text"
    return "other"
