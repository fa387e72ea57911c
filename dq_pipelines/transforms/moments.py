"""Casts between dates, moments with a zone and moments without one, and from numbers to any of them.

A moment without a zone means UTC, in both directions.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import cast

import polars as pl

from dq_pipelines.transforms.attempts import each, filled, only, selected
from dq_pipelines.transforms.formats import within_years
from dq_pipelines.transforms.options import Origin, Unit

#: Types of days and moments.
Moment = pl.Date | pl.Datetime

_UTC = pl.Datetime("us", "UTC")
_A_DAY = 86_400_000_000
#: Microseconds of a unit, and units of a second.
_MICROSECONDS: dict[Unit, int] = {"s": 1_000_000, "ms": 1_000, "us": 1}
_IN_A_SECOND: dict[Unit, int] = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

_EPOCH = date(1970, 1, 1)
#: A workbook's day 0, in days since 1970; in the system of 1900 for days after 1900-02-29, a day that it counts and that never existed.
_DAY_0 = {"excel": (date(1899, 12, 30) - _EPOCH).days, "excel_1904": (date(1904, 1, 1) - _EPOCH).days}
_LEAP_DAY_1900 = 60
#: Serial numbers from the first day to the end of 9999.
_SERIALS = {"excel": (1, 2_958_466), "excel_1904": (0, 2_957_004)}
_MILLISECONDS = 86_400_000


def converted(value: pl.Expr, landed: Moment, wanted: Moment) -> pl.Expr:
    """A date or moment as another of these types; null if a part of it would be lost."""
    if isinstance(landed, pl.Date):
        if isinstance(wanted, pl.Date):
            return within_years(value, wanted)
        return _as_utc(within_years(value, landed).cast(pl.Datetime("us")), pl.Datetime("us"), wanted)
    micro = pl.Datetime("us", landed.time_zone)
    exact = value.cast(micro, strict=False)
    if landed.time_unit == "ns":
        exact = pl.when(value.to_physical() % 1_000 == 0).then(exact)
    exact = within_years(exact, micro)
    if isinstance(wanted, pl.Date):
        utc = _as_utc(exact, micro, pl.Datetime("us"))
        return pl.when(utc.to_physical() % _A_DAY == 0).then(utc.cast(pl.Date))
    return _as_utc(exact, micro, wanted)


def _as_utc(value: pl.Expr, landed: pl.Datetime, wanted: pl.Datetime) -> pl.Expr:
    """A moment in the wanted zone; one without a zone is read as UTC."""
    utc = value if landed.time_zone else value.dt.replace_time_zone("UTC")
    if wanted.time_zone is None:
        return utc.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return utc.dt.convert_time_zone(wanted.time_zone)


def converted_series(moments: pl.Series, wanted: Moment) -> pl.Series:
    """`converted` for a series."""
    landed = cast("Moment", moments.dtype)
    return selected(moments, lambda value: converted(value, landed, wanted))


def from_counts(numbers: pl.Series, unit: Unit, wanted: Moment) -> pl.Series:
    """Numbers of a unit since 1970 as dates or moments: whole numbers vectorised, decimals (or their texts) one by one."""
    whole = numbers.cast(pl.Int64, strict=False)
    if not numbers.dtype.is_integer():
        is_whole = whole.cast(numbers.dtype, strict=False) == numbers
        whole = only(whole, is_whole)
    microseconds = _microseconds(whole, unit)
    if not numbers.dtype.is_integer():
        texts = numbers.cast(pl.String)
        microseconds = filled(
            microseconds, whole.is_null() & texts.is_not_null(), texts, lambda some: _fractions(some, unit)
        )
    return converted_series(microseconds.cast(_UTC), wanted)


def _microseconds(whole: pl.Series, unit: Unit) -> pl.Series:
    if unit == "ns":
        return only(whole, whole % 1_000 == 0) // 1_000
    factor = _MICROSECONDS[unit]
    most = 2**62 // factor
    return only(whole, whole.is_between(-most, most)) * factor


def _fractions(texts: pl.Series, unit: Unit) -> pl.Series:
    def microseconds(text: str) -> int | None:
        number = number_in(text)
        if number is None or not number.is_finite() or abs(number) > 2**70 or number.as_tuple().exponent < -40:  # type: ignore[operator]
            return None
        found = number * 1_000_000 / _IN_A_SECOND[unit]
        return int(found) if found == int(found) and abs(found) < 2**62 else None

    return each(texts, microseconds, pl.Int64())


def number_in(text: str) -> Decimal | None:
    """The exact number that a text contains in ASCII digits; None if it is no number."""
    plain = text.strip()
    if not plain.isascii() or "_" in plain or not any(char.isdigit() for char in plain):
        return None
    try:
        return Decimal(plain)
    except ArithmeticError:
        return None


def to_counts(value: pl.Expr, landed: Moment, unit: Unit) -> pl.Expr:
    """Dates and moments as whole numbers of a unit since 1970; null if the number would not be whole."""
    number = converted(value, landed, _UTC).to_physical()
    if unit == "ns":
        return pl.when(number.abs() < 2**63 // 1_000).then(number * 1_000)
    factor = _MICROSECONDS[unit]
    return pl.when(number % factor == 0).then(number // factor)


def from_serial_numbers(numbers: pl.Series, origin: Origin, wanted: Moment) -> pl.Series:
    """A workbook's day numbers as dates or moments, to the millisecond, the precision of workbooks."""
    days = numbers.cast(pl.Float64, strict=False)
    first, end = _SERIALS[origin]
    days = only(days, (days >= first) & (days < end))
    whole = days.floor()
    offset = pl.select(pl.lit(_DAY_0[origin])).to_series()
    if origin == "excel":
        days = only(days, whole != _LEAP_DAY_1900)
        offset = (whole < _LEAP_DAY_1900).cast(pl.Int64) + _DAY_0[origin]
    parts = ((days - whole) * _MILLISECONDS).round().cast(pl.Int64)
    since = (whole.cast(pl.Int64) + offset) * _MILLISECONDS + parts
    return converted_series((since * 1_000).cast(_UTC), wanted)
