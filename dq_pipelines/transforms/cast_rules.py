"""Defines the table of casts: for each landed and target type, what is published and refused, and the options.

The page of casts is generated from it, and its examples run as tests. `casting` does the casts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import polars as pl

from dq_pipelines.transforms.cast_entry import (
    DAY,
    EXCEL,
    ISO,
    NUMBER_OF,
    REFUSED,
    ROUND,
    SECONDS,
    TEN,
    UTC_TEN,
    CastEntry,
    Example,
)
from dq_pipelines.transforms.cast_moments import DATE, DATETIME, DURATION, TIME, TIMESTAMP
from dq_pipelines.transforms.cast_numbers import BOOLEAN, DECIMAL, FLOAT32, FLOAT64, INTEGER
from dq_pipelines.transforms.options import CastOptions

#: Kinds of landed types: the Polars type of their examples, and a description.
LANDED: dict[str, tuple[pl.DataType, str]] = {
    "text": (pl.String(), "CSV, JSON, text cells of workbooks; categories and dictionaries land as text"),
    "boolean": (pl.Boolean(), "true or false"),
    "integer": (pl.Int64(), "int8 to int64; unsigned ones land as the next wider type"),
    "decimal": (pl.Decimal(38, 4), "exact numbers of a fixed scale"),
    "float64": (pl.Float64(), "double; every number of a workbook"),
    "float32": (pl.Float32(), "float, real"),
    "date": (pl.Date(), "days"),
    "datetime": (pl.Datetime("us"), "moments without a zone, in s, ms, us or ns; they land in microseconds"),
    "timestamp": (pl.Datetime("us", "UTC"), "moments with a zone; they land in UTC and in microseconds"),
    "time": (pl.Time(), "a time of day; it lands as text, such as `10:00:00.5`"),
    "duration": (pl.Duration("us"), "a span of time; it lands as ISO 8601 text, such as `PT1M30S`"),
    "binary": (pl.Binary(), "bytes"),
    "nested": (pl.List(pl.String()), "lists, structs, maps"),
}
#: Target types of YAML; `integer` means int8 to int64.
WANTED = ("string", "boolean", "integer", "decimal", "float64", "float32", "date", "datetime", "timestamp", "binary")

_TEXT = {
    "string": CastEntry(
        "every text unchanged", "nothing", "`trim: true`: without the blanks around it",
        (Example(" a ", "string", " a "), Example(" a ", "string", "a", CastOptions(trim=True))),
    ),
    "boolean": CastEntry(
        "`true`, `t`, `yes`, `y`, `1`, `false`, `f`, `no`, `n`, `0` in any case", "other texts",
        "", (Example("Yes", "boolean", True), Example("2", "boolean", REFUSED)),
    ),
    "integer": CastEntry(
        "ASCII digits with or without a sign; leading zeros are ignored",
        "decimals (also `1.0`), exponents, separators of thousands, numbers out of range",
        ROUND,
        (
            Example("+1", "int64", 1), Example("007", "int8", 7), Example("1.0", "int64", REFUSED),
            Example("1,000", "int64", REFUSED), Example("300", "int8", REFUSED),
            Example("2.5", "int64", 2, CastOptions(round="half_even")),
        ),
    ),
    "decimal": CastEntry(
        "numbers that fit exactly, also with an exponent; trailing zeros of the decimals are ignored",
        "more decimals than the scale, more digits than the precision, `NaN`, separators of thousands",
        ROUND,
        (
            Example("1.2300", "decimal(10,2)", Decimal("1.23")), Example("12.5e-1", "decimal(10,2)", Decimal("1.25")),
            Example("1.005", "decimal(10,2)", REFUSED), Example("1.00000000001", "decimal(10,2)", REFUSED),
            Example("1.005", "decimal(10,2)", Decimal("1.01"), CastOptions(round="half_up")),
        ),
    ),
    "float64": CastEntry(
        "the nearest float64 of a number with decimals or an exponent; whole numbers that it holds exactly; "
        "`inf` and `NaN`, in upper or lower case",
        "whole numbers in full digits that it does not hold (from 2**53 on), numbers that would become infinite or 0",
        "",
        (
            Example("0.1", "float64", 0.1), Example("1e400", "float64", REFUSED), Example("1e-400", "float64", REFUSED),
            Example("9007199254740993", "float64", REFUSED), Example("inf", "float64", float("inf")),
        ),
    ),
    "float32": CastEntry(
        "as float64, to the nearest float32", "as float64; whole numbers from 2**24 on that it does not hold", "",
        (Example("0.5", "float32", 0.5), Example("16777217", "float32", REFUSED), Example("1e40", "float32", REFUSED)),
    ),
    "date": CastEntry(
        f"{ISO}: `2024-01-02`, `20240102`, `2024-W01-2`, `2024-002`; a moment at midnight UTC; years 0001 to 9999 in four digits",
        "other forms, two-digit years, moments with a time of day",
        f"`format`: other forms; {NUMBER_OF}",
        (
            Example("2024-01-02", "date", DAY), Example("20240102", "date", DAY), Example("24-01-02", "date", REFUSED),
            Example("0000-01-01", "date", REFUSED), Example("2024-01-02 10:00:00", "date", REFUSED),
            Example("02.01.24", "date", DAY, CastOptions("%d.%m.%y")), Example("02.01.24", "date", REFUSED, CastOptions("%d.%m.%Y")),
            Example("01.01.69", "date", date(1969, 1, 1), CastOptions("%d.%m.%y")),
            Example("45293", "date", DAY, EXCEL), Example("20240102", "date", REFUSED, SECONDS),
        ),
    ),
    "datetime": CastEntry(
        f"{ISO}, with `T`, `t` or a blank, with or without seconds, up to six decimals after a point or a comma, with or "
        "without separators; a zone (`Z`, `+02`, `+0200`, `+02:00`, `UTC`) is converted to UTC; a date is its midnight",
        "the hour 24, the second 60, a seventh decimal other than 0, other forms, two-digit years",
        f"`format`: other forms; {NUMBER_OF}",
        (
            Example("2024-01-02T10:00", "datetime", TEN), Example("2024-01-02 12:00:00+02", "datetime", TEN),
            Example("2024-01-01T24:00", "datetime", REFUSED), Example("2024-01-02 09:59:60", "datetime", REFUSED),
            Example("2024-01-02 10:00:00.1234567", "datetime", REFUSED),
        ),
    ),
    "timestamp": CastEntry(
        "as datetime; a text without a zone is read as UTC", "as datetime", f"`format`: other forms; {NUMBER_OF}",
        (
            Example("20240102T100000Z", "timestamp", UTC_TEN), Example("2024-01-02t12:00:00,0+0200", "timestamp", UTC_TEN),
            Example("1704189600", "timestamp", UTC_TEN, SECONDS), Example("1704189600", "timestamp", REFUSED),
        ),
    ),
    "binary": CastEntry("the bytes of the text in UTF-8", "nothing", "", (Example("é", "binary", "é".encode()),)),
}  # fmt: skip

_BINARY = {
    "string": CastEntry("bytes that are UTF-8", "others", "", (Example(b"ok", "string", "ok"), Example(b"\xff", "string", REFUSED))),
    "binary": CastEntry("every value", "nothing", "", (Example(b"\xff", "binary", b"\xff"),)),
}  # fmt: skip
_NESTED = {
    "string": CastEntry(
        "JSON", "bytes in it that are no UTF-8", "",
        (
            Example(["a", None], "string", '["a",null]'),
            Example({"a": 1.5}, "string", '{"a":1.5}', dtype=pl.Struct({"a": pl.Float64()})),
            Example([b"\xff"], "string", REFUSED, dtype=pl.List(pl.Binary())),
        ),
    )
}  # fmt: skip

_NOTHING = CastEntry("nothing", "every value")

_PAIRS = {
    "text": _TEXT, "boolean": BOOLEAN, "integer": INTEGER, "decimal": DECIMAL, "float64": FLOAT64, "float32": FLOAT32,
    "date": DATE, "datetime": DATETIME, "timestamp": TIMESTAMP, "time": TIME, "duration": DURATION, "binary": _BINARY,
    "nested": _NESTED,
}  # fmt: skip


def cast_entry(landed: str, wanted: str) -> CastEntry:
    """The cast of values of the kind `landed` to the type `wanted`; without an entry nothing is published."""
    return _PAIRS[landed].get(wanted, _NOTHING)


def is_never_published(landed: str, wanted: str) -> bool:
    """Whether values of the kind are never published in the type, with any option."""
    return wanted not in _PAIRS[landed]


def examples() -> Iterator[tuple[str, Example]]:
    """Every example, with its landed kind."""
    for kind, casts in _PAIRS.items():
        for cast in casts.values():
            for example in cast.examples:
                yield kind, example
