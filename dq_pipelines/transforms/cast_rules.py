"""The table of casts: for each pair of a landed and a wanted type, what is published, what is refused, what may be asked.

The page of casts is made from it, and its examples are run as tests. How a cast is done belongs in `casting`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import polars as pl

from dq_pipelines.transforms.cast_moments import DATE, DATETIME, DURATION, TIME, TIMESTAMP
from dq_pipelines.transforms.cast_numbers import BOOLEAN, DECIMAL, FLOAT32, FLOAT64, INTEGER
from dq_pipelines.transforms.cast_pair import (
    DAY,
    EXCEL,
    ISO,
    NUMBER_OF,
    REFUSED,
    ROUND,
    SECONDS,
    TEN,
    UTC_TEN,
    Example,
    Pair,
)
from dq_pipelines.transforms.options import CastOptions

#: Kinds of landed types: the Polars type of their examples, and what they are.
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
#: Types of YAML; `integer` stands for int8 to int64.
WANTED = ("string", "boolean", "integer", "decimal", "float64", "float32", "date", "datetime", "timestamp", "binary")

_TEXT = {
    "string": Pair(
        "every text as it is", "nothing", "`trim: true`: without the blanks around it",
        (Example(" a ", "string", " a "), Example(" a ", "string", "a", CastOptions(trim=True))),
    ),
    "boolean": Pair(
        "`true`, `t`, `yes`, `y`, `1`, `false`, `f`, `no`, `n`, `0` in any case", "other texts",
        "", (Example("Yes", "boolean", True), Example("2", "boolean", REFUSED)),
    ),
    "integer": Pair(
        "ASCII digits with or without a sign; zeros in front say nothing",
        "decimals (also `1.0`), exponents, separators of thousands, numbers out of range",
        ROUND,
        (
            Example("+1", "int64", 1), Example("007", "int8", 7), Example("1.0", "int64", REFUSED),
            Example("1,000", "int64", REFUSED), Example("300", "int8", REFUSED),
            Example("2.5", "int64", 2, CastOptions(round="half_even")),
        ),
    ),
    "decimal": Pair(
        "numbers that fit exactly, also with an exponent; zeros at the end of the decimals say nothing",
        "more decimals than the scale, more digits than the precision, `NaN`, separators of thousands",
        ROUND,
        (
            Example("1.2300", "decimal(10,2)", Decimal("1.23")), Example("12.5e-1", "decimal(10,2)", Decimal("1.25")),
            Example("1.005", "decimal(10,2)", REFUSED), Example("1.00000000001", "decimal(10,2)", REFUSED),
            Example("1.005", "decimal(10,2)", Decimal("1.01"), CastOptions(round="half_up")),
        ),
    ),
    "float64": Pair(
        "the nearest float64 of a number with decimals or an exponent; whole numbers that it holds exactly; "
        "`inf` and `NaN`, in any case, are what they say",
        "whole numbers in full digits that it does not hold (from 2**53 on), numbers that would become infinite or 0",
        "",
        (
            Example("0.1", "float64", 0.1), Example("1e400", "float64", REFUSED), Example("1e-400", "float64", REFUSED),
            Example("9007199254740993", "float64", REFUSED), Example("inf", "float64", float("inf")),
        ),
    ),
    "float32": Pair(
        "as float64, to the nearest float32", "as float64; whole numbers from 2**24 on that it does not hold", "",
        (Example("0.5", "float32", 0.5), Example("16777217", "float32", REFUSED), Example("1e40", "float32", REFUSED)),
    ),
    "date": Pair(
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
    "datetime": Pair(
        f"{ISO}, with `T`, `t` or a blank, with or without seconds, up to six decimals behind a point or a comma, with or "
        "without separators; a zone (`Z`, `+02`, `+0200`, `+02:00`, `UTC`) is counted back to UTC; a date is its midnight",
        "the hour 24, the second 60, a seventh decimal that is not 0, other forms, two-digit years",
        f"`format`: other forms; {NUMBER_OF}",
        (
            Example("2024-01-02T10:00", "datetime", TEN), Example("2024-01-02 12:00:00+02", "datetime", TEN),
            Example("2024-01-01T24:00", "datetime", REFUSED), Example("2024-01-02 09:59:60", "datetime", REFUSED),
            Example("2024-01-02 10:00:00.1234567", "datetime", REFUSED),
        ),
    ),
    "timestamp": Pair(
        "as datetime; a text without a zone is taken for UTC", "as datetime", f"`format`: other forms; {NUMBER_OF}",
        (
            Example("20240102T100000Z", "timestamp", UTC_TEN), Example("2024-01-02t12:00:00,0+0200", "timestamp", UTC_TEN),
            Example("1704189600", "timestamp", UTC_TEN, SECONDS), Example("1704189600", "timestamp", REFUSED),
        ),
    ),
    "binary": Pair("the bytes of the text in UTF-8", "nothing", "", (Example("é", "binary", "é".encode()),)),
}  # fmt: skip

_BINARY = {
    "string": Pair("bytes that are UTF-8", "others", "", (Example(b"ok", "string", "ok"), Example(b"\xff", "string", REFUSED))),
    "binary": Pair("every value", "nothing", "", (Example(b"\xff", "binary", b"\xff"),)),
}  # fmt: skip
_NESTED = {
    "string": Pair(
        "JSON", "bytes in it that are no UTF-8", "",
        (
            Example(["a", None], "string", '["a",null]'),
            Example({"a": 1.5}, "string", '{"a":1.5}', dtype=pl.Struct({"a": pl.Float64()})),
            Example([b"\xff"], "string", REFUSED, dtype=pl.List(pl.Binary())),
        ),
    )
}  # fmt: skip

_NOTHING = Pair("nothing", "every value")

_PAIRS = {
    "text": _TEXT, "boolean": BOOLEAN, "integer": INTEGER, "decimal": DECIMAL, "float64": FLOAT64, "float32": FLOAT32,
    "date": DATE, "datetime": DATETIME, "timestamp": TIMESTAMP, "time": TIME, "duration": DURATION, "binary": _BINARY,
    "nested": _NESTED,
}  # fmt: skip


def pair(landed: str, wanted: str) -> Pair:
    """What becomes of values of the kind `landed` in the type `wanted`; of a pair without an entry nothing is published."""
    return _PAIRS[landed].get(wanted, _NOTHING)


def is_never_published(landed: str, wanted: str) -> bool:
    """Whether no value and no option makes a value of the kind one of the type."""
    return wanted not in _PAIRS[landed]


def examples() -> Iterator[tuple[str, Example]]:
    """Every example, with the kind of what landed."""
    for kind, pairs in _PAIRS.items():
        for found in pairs.values():
            for example in found.examples:
                yield kind, example
