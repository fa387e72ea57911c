"""Validates a column's strftime pattern, and parses texts by it exactly.

Polars parses by chrono, which is too lenient: it takes two digits for `%Y` and one for `%y`, second 60 as the next minute,
`2024111` under `%Y%m%d`, and drops the zone of `%Z`. So each result is checked against its text.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import cast

import polars as pl

from dq_pipelines.transforms.attempts import Attempt, filled, only
from dq_pipelines.transforms.format_shapes import shape

#: A moment with distinct parts; a valid pattern must parse it from its own output.
_SAMPLE = datetime(2019, 11, 28, 17, 43, 52)  # noqa: DTZ001
_DIRECTIVE = re.compile(r"%[-_0^#:]*(?:\.?[0-9]?f|[A-Za-z+])")
#: Directives that read an offset from UTC.
_OFFSET = re.compile(r"%[:#]*z|%\+")
_DIGITS = "YCyqmdejUWGVgHkIlMSsu"
#: Two numbers without a separator: only their full digits separate them.
_TIGHT = re.compile(rf"%[-_0]?[{_DIGITS}]%[-_0]?[{_DIGITS}]")
_HOUR = re.compile(r"%[-_0]?[HkIlTRrXcs+]")
#: A year of two digits, and directives that give the century.
_TWO_DIGITS, _CENTURY = re.compile(r"%[-_0]?[yDx]"), re.compile(r"%[-_0]?[YCGF]|%[sc+]")
#: More than six decimals of a second, with a later one that is not 0.
_BEYOND_MICROSECONDS = r"[.,][0-9]{6}[0-9]*[1-9]"

_MINUTE, _SECOND = 60_000_000, 1_000_000
_YEAR_1000 = {pl.Date: -354_285, pl.Datetime: -354_285 * 86_400 * _SECOND}
#: 0001-01-01 to 9999-12-31, in days and in microseconds since 1970.
_YEARS = {
    pl.Date: (-719_162, 2_932_896),
    pl.Datetime: (-719_162 * 86_400 * _SECOND, 2_932_897 * 86_400 * _SECOND - 1),
}


def chrono(pattern: str) -> str:
    """The pattern for Polars: `.%f` means the decimals of a second, as in Python."""
    return pattern.replace(".%f", "%.f")


def has_offset(pattern: str) -> bool:
    """Whether texts of the pattern contain an offset from UTC."""
    return _OFFSET.search(pattern) is not None


def has_time(pattern: str) -> bool:
    """Whether texts of the pattern contain a time of day."""
    return _HOUR.search(pattern) is not None


def checked_format(pattern: str, dtype: pl.DataType) -> str:
    """The validated pattern; raises ValueError if it cannot parse values of the type."""
    found = _DIRECTIVE.findall(chrono(pattern))
    if any(each.endswith("Z") for each in found):
        raise ValueError(
            f"format '{pattern}': the zone names of %Z are ambiguous (IST is three zones); "
            "wanted %z, which reads offsets such as +0200"
        )
    if any(each in ("%f", "%9f") for each in found):
        raise ValueError(f"format '{pattern}': wanted %.f for the decimals of a second, got %f")
    if not isinstance(dtype, pl.Date | pl.Datetime):
        return pattern
    if (
        isinstance(dtype, pl.Datetime)
        and re.search(r"%[-_0]?[HkIl]", pattern)
        and not re.search("%[-_0]?[MTRc]", pattern)
    ):
        raise ValueError(f"format '{pattern}': wanted minutes (%M) with the hour")
    sample = pl.Series([_SAMPLE]).dt.replace_time_zone("UTC")
    try:
        text = sample.dt.to_string(chrono(pattern))
        read = _parsed(text, dtype, chrono(pattern)).cast(pl.Date).to_list()
    except pl.exceptions.PolarsError:
        read = []
    if read != [_SAMPLE.date()]:
        raise ValueError(
            f"format '{pattern}': wanted year, month and day, as in %d/%m/%Y, got a pattern that does not determine a date"
        )
    return pattern


def reads(pattern: str, dtype: pl.DataType) -> Attempt:
    """An attempt that parses texts by the pattern, exactly."""
    form = chrono(pattern)
    by_length = _TIGHT.search(form) is not None
    beyond = bool(re.search(r"%\.[0-9]?f|%\+", form))
    # chrono takes one digit for `%y`, but the year in `1/2/5` is ambiguous.
    short_year = shape(form, "y", "[0-9]{2}", in_full=by_length)

    def attempt(texts: pl.Series) -> pl.Series:
        moments = sound(texts, _parsed(texts, dtype, form), form)
        if by_length:
            written = moments.dt.to_string(form).str.len_bytes()
            moments = only(moments, written == texts.str.strip_chars().str.len_bytes())
        if short_year is not None:
            moments = only(moments, texts.str.contains(short_year))
        return only(moments, ~texts.str.contains(_BEYOND_MICROSECONDS)) if beyond else moments

    return attempt


def _parsed(texts: pl.Series, dtype: pl.DataType, form: str) -> pl.Series:
    # Without Polars' cache of dates, which costs twice the time that it saves, even with few distinct dates.
    if isinstance(dtype, pl.Date):
        moments = texts.str.to_date(form, strict=False, cache=False)
    else:
        moments = texts.str.to_datetime(form, time_unit="us", strict=False, cache=False)
    return _of_1969(moments) if _TWO_DIGITS.search(form) and not _CENTURY.search(form) else moments


def _of_1969(moments: pl.Series) -> pl.Series:
    """The moments with 2069 changed to 1969: `69` means 1969 in POSIX and Python, and 2069 only in chrono."""
    wrong = (moments.dt.year() == 2069).fill_null(False)
    return moments.zip_with(~wrong, moments.dt.offset_by("-100y")) if wrong.any() else moments


def sound(texts: pl.Series, moments: pl.Series, form: str) -> pl.Series:
    """The moments that agree with their texts: years of four digits, no second 60."""
    if isinstance(moments.dtype, pl.Date) and _are_between(moments, _YEAR_1000[pl.Date], _YEARS[pl.Date][1]):
        return moments
    number, kind = moments.to_physical(), type(moments.dtype)
    doubtful = ~number.is_between(_YEAR_1000[kind], _YEARS[kind][1])
    if kind is pl.Datetime:
        first_second = number % _MINUTE < _SECOND
        if _sixties(texts.filter(first_second), form).any():
            doubtful = doubtful | (first_second & _sixties(texts, form))
    if not doubtful.any():
        return moments
    both = pl.DataFrame({"text": texts, "moment": moments}).to_struct()
    return filled(only(moments, ~doubtful), doubtful.fill_null(False), both, lambda some: _confirmed(some, form))


def _sixties(texts: pl.Series, form: str) -> pl.Series:
    if not has_offset(form):
        return texts.str.contains("60", literal=True)
    # With an offset, the formatted hour differs, and `160000` has no second 60: the check must consider its place.
    placed = shape(form, "S", "60", in_full=_TIGHT.search(form) is not None)
    return texts.str.contains(placed) if placed else texts.str.contains(":60", literal=True)


def _confirmed(both: pl.Series, form: str) -> pl.Series:
    """The moments of `both` (text and moment) that agree with their texts."""
    moment, text = both.struct.field("moment"), both.struct.field("text")
    moment = only(moment, moment.to_physical().is_between(*_YEARS[type(moment.dtype)]))
    year = moment.dt.year().cast(pl.String).str.zfill(4)
    four_digits = (moment.dt.year() >= 1000) | _contains(text, year)
    if isinstance(moment.dtype, pl.Date):
        return only(moment, four_digits)
    if has_offset(form):
        return only(moment, four_digits & ~_sixties(text, form))
    # Second 60 is parsed as the next minute's second 0, so the formatted text has one 60 less.
    written = moment.dt.to_string(form).str.count_matches("60")
    return only(moment, four_digits & (written >= text.str.count_matches("60")))


def _contains(texts: pl.Series, parts: pl.Series) -> pl.Series:
    return (
        pl.DataFrame({"text": texts, "part": parts})
        .select(pl.col("text").str.contains(pl.col("part"), literal=True))
        .to_series()
    )


def are_within_years(dates: pl.Series) -> bool:
    """Whether `within_years` would keep all these dates."""
    return _are_between(dates, *_YEARS[pl.Date])


def _are_between(dates: pl.Series, first: int, last: int) -> bool:
    """Whether all dates are within two days since 1970. Plans no query, which would cost more than a few thousand dates."""
    days = dates.cast(pl.Int32)
    least, most = days.min(), days.max()
    return least is None or (first <= cast("int", least) and cast("int", most) <= last)


def are_years_of_lake(dtype: pl.Date | pl.Datetime, least: int, most: int) -> bool:
    """Whether all dates or moments between two, as numbers of their unit since 1970, are exact and within the years 1 to 9999."""
    if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns":
        return False
    first, last = _reach(dtype)
    return first <= least and most <= last


def within_years(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The dates and moments within the years 1 to 9999, which every tool supports; null for others."""
    if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns":
        return value  # nanoseconds reach only from 1677 to 2262
    return pl.when(value.to_physical().is_between(*_reach(dtype))).then(value)


def _reach(dtype: pl.DataType) -> tuple[int, int]:
    """The years 1 to 9999 in days, in microseconds or in milliseconds since 1970."""
    first, last = _YEARS[type(dtype)]
    milliseconds = isinstance(dtype, pl.Datetime) and dtype.time_unit == "ms"
    return (first // 1_000, last // 1_000) if milliseconds else (first, last)
