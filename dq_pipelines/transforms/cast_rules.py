"""The table of casts: for each pair of a landed and a wanted type, what is published, what is refused, what may be asked.

The page of casts is made from it, and its examples are run as tests. How a cast is done belongs in `casting`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from dq_pipelines.transforms.options import EXACT, CastOptions

#: What an example gives that is not published.
REFUSED = "refused"

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


@dataclass(frozen=True)
class Example:
    """One value on its way."""

    landed: Any
    #: the type as YAML writes it
    wanted: str
    #: the value, or REFUSED
    published: Any
    options: CastOptions = EXACT
    #: the landed type, where it is not that of its kind
    dtype: pl.DataType | None = None


@dataclass(frozen=True)
class Pair:
    """What becomes of values of one kind in one type."""

    publishes: str
    refuses: str = ""
    #: options of the column that ask for a change, and what they do
    asked: str = ""
    examples: tuple[Example, ...] = ()


_EXCEL, _SECONDS = CastOptions(origin="excel"), CastOptions(unit="s")
_DAY, _TEN = date(2024, 1, 2), datetime(2024, 1, 2, 10)  # noqa: DTZ001
_MIDNIGHT, _UTC_TEN = datetime(2024, 1, 2), datetime(2024, 1, 2, 10, tzinfo=UTC)  # noqa: DTZ001
_UTC_MIDNIGHT = datetime(2024, 1, 2, tzinfo=UTC)
_ROUND = "`round: half_even`, `half_up` or `down`: the nearest number that the type holds"
_NUMBER_OF = "`unit: s`, `ms`, `us` or `ns`: a count since 1970-01-01 UTC; `origin: excel` or `excel_1904`: a workbook's day number"
_ISO = "ISO 8601"

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
        _ROUND,
        (
            Example("+1", "int64", 1), Example("007", "int8", 7), Example("1.0", "int64", REFUSED),
            Example("1,000", "int64", REFUSED), Example("300", "int8", REFUSED),
            Example("2.5", "int64", 2, CastOptions(round="half_even")),
        ),
    ),
    "decimal": Pair(
        "numbers that fit exactly, also with an exponent; zeros at the end of the decimals say nothing",
        "more decimals than the scale, more digits than the precision, `NaN`, separators of thousands",
        _ROUND,
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
        f"{_ISO}: `2024-01-02`, `20240102`, `2024-W01-2`, `2024-002`; a moment at midnight UTC; years 0001 to 9999 in four digits",
        "other forms, two-digit years, moments with a time of day",
        f"`format`: other forms; {_NUMBER_OF}",
        (
            Example("2024-01-02", "date", _DAY), Example("20240102", "date", _DAY), Example("24-01-02", "date", REFUSED),
            Example("0000-01-01", "date", REFUSED), Example("2024-01-02 10:00:00", "date", REFUSED),
            Example("02.01.24", "date", _DAY, CastOptions("%d.%m.%y")), Example("02.01.24", "date", REFUSED, CastOptions("%d.%m.%Y")),
            Example("01.01.69", "date", date(1969, 1, 1), CastOptions("%d.%m.%y")),
            Example("45293", "date", _DAY, _EXCEL), Example("20240102", "date", REFUSED, _SECONDS),
        ),
    ),
    "datetime": Pair(
        f"{_ISO}, with `T`, `t` or a blank, with or without seconds, up to six decimals behind a point or a comma, with or "
        "without separators; a zone (`Z`, `+02`, `+0200`, `+02:00`, `UTC`) is counted back to UTC; a date is its midnight",
        "the hour 24, the second 60, a seventh decimal that is not 0, other forms, two-digit years",
        f"`format`: other forms; {_NUMBER_OF}",
        (
            Example("2024-01-02T10:00", "datetime", _TEN), Example("2024-01-02 12:00:00+02", "datetime", _TEN),
            Example("2024-01-01T24:00", "datetime", REFUSED), Example("2024-01-02 09:59:60", "datetime", REFUSED),
            Example("2024-01-02 10:00:00.1234567", "datetime", REFUSED),
        ),
    ),
    "timestamp": Pair(
        "as datetime; a text without a zone is taken for UTC", "as datetime", f"`format`: other forms; {_NUMBER_OF}",
        (
            Example("20240102T100000Z", "timestamp", _UTC_TEN), Example("2024-01-02t12:00:00,0+0200", "timestamp", _UTC_TEN),
            Example("1704189600", "timestamp", _UTC_TEN, _SECONDS), Example("1704189600", "timestamp", REFUSED),
        ),
    ),
    "binary": Pair("the bytes of the text in UTF-8", "nothing", "", (Example("é", "binary", "é".encode()),)),
}  # fmt: skip

_BOOLEAN = {
    "string": Pair("`true` and `false`", "nothing", "", (Example(True, "string", "true"),)),
    "boolean": Pair("every value", "nothing", "", (Example(True, "boolean", True),)),
    **{
        name: Pair("1 and 0", "nothing", "", (Example(True, typed_as, 1),))
        for name, typed_as in (("integer", "int8"), ("decimal", "decimal(3,1)"), ("float64", "float64"), ("float32", "float32"))
    },
}  # fmt: skip

_TO_BOOLEAN = ("1 and 0", "other numbers")
_TO_MOMENT = ("nothing, without an option: a number does not tell what it counts", "every value")
_FORMAT_OF_NUMBER = "`format`: the digits are read as a text, such as 20240102 by `%Y%m%d`"


def _to_moments(ten: Any) -> dict[str, Pair]:
    """Pairs of numbers with dates and moments; `ten` is 2024-01-02 10:00 in seconds since 1970."""
    asked = f"{_NUMBER_OF}; {_FORMAT_OF_NUMBER}"
    kind = type(ten)
    return {
        "date": Pair(
            *_TO_MOMENT, asked,
            (
                Example(kind(45293), "date", REFUSED), Example(kind(45293), "date", _DAY, _EXCEL),
                Example(kind(20240102), "date", _DAY, CastOptions("%Y%m%d")), Example(kind(60), "date", REFUSED, _EXCEL),
            ),
        ),
        "datetime": Pair(*_TO_MOMENT, asked, (Example(ten, "datetime", REFUSED), Example(ten, "datetime", _TEN, _SECONDS))),
        "timestamp": Pair(*_TO_MOMENT, asked, (Example(ten, "timestamp", _UTC_TEN, _SECONDS),)),
    }  # fmt: skip


_INTEGER = {
    "string": Pair("its digits", "nothing", "", (Example(1001, "string", "1001"),)),
    "boolean": Pair(*_TO_BOOLEAN, "", (Example(1, "boolean", True), Example(2, "boolean", REFUSED))),
    "integer": Pair("numbers in range", "numbers out of range", "", (Example(7, "int8", 7), Example(300, "int8", REFUSED))),
    "decimal": Pair(
        "numbers in range", "more digits than the precision", "",
        (Example(7, "decimal(3,1)", Decimal(7)), Example(700, "decimal(3,1)", REFUSED)),
    ),
    "float64": Pair(
        "numbers that a float64 holds exactly, as every one up to 2**53", "others", "",
        (Example(2**53, "float64", 2.0**53), Example(2**53 + 1, "float64", REFUSED)),
    ),
    "float32": Pair(
        "numbers that a float32 holds exactly, as every one up to 2**24", "others", "`round: half_even`: the nearest float32",
        (Example(2**24 + 1, "float32", REFUSED), Example(2**24 + 1, "float32", 2.0**24, CastOptions(round="half_even"))),
    ),
    **_to_moments(1704189600),
}  # fmt: skip

_DECIMALS = {
    "string": Pair("its digits, with all of its scale", "nothing", "", (Example(Decimal("1.5"), "string", "1.5000"),)),
    "boolean": Pair(*_TO_BOOLEAN, "", (Example(Decimal(1), "boolean", True), Example(Decimal("0.5"), "boolean", REFUSED))),
    "integer": Pair(
        "whole numbers in range", "others", _ROUND,
        (
            Example(Decimal("2.0"), "int64", 2), Example(Decimal("1.7"), "int64", REFUSED),
            Example(Decimal("1.7"), "int64", 1, CastOptions(round="down")),
        ),
    ),
    "decimal": Pair(
        "numbers that fit exactly", "more decimals than the scale, more digits than the precision", _ROUND,
        (
            Example(Decimal("1.25"), "decimal(10,2)", Decimal("1.25")), Example(Decimal("1.2345"), "decimal(10,2)", REFUSED),
            Example(Decimal("1.2345"), "decimal(10,2)", Decimal("1.23"), CastOptions(round="half_even")),
        ),
    ),
    "float64": Pair(
        "numbers whose nearest float64 is written as the same decimal, as every one of 15 digits", "others", "",
        (Example(Decimal("0.1"), "float64", 0.1), Example(Decimal("12345678901234567.8"), "float64", REFUSED)),
    ),
    "float32": Pair(
        "numbers whose nearest float32 is written as the same decimal", "others", "`round: half_even`: the nearest float32",
        (Example(Decimal("0.5"), "float32", 0.5), Example(Decimal("1234567.8901"), "float32", REFUSED)),
    ),
    **_to_moments(Decimal(1704189600)),
}  # fmt: skip


def _floats(*own: tuple[str, Pair]) -> dict[str, Pair]:
    return {
        "string": Pair(
            "the shortest text that is this number again; whole numbers below 2**63 without `.0`", "nothing", "",
            (Example(1001.0, "string", "1001"), Example(0.5, "string", "0.5"), Example(1e22, "string", "1e+22")),
        ),
        "boolean": Pair(*_TO_BOOLEAN, "", (Example(1.0, "boolean", True), Example(0.5, "boolean", REFUSED))),
        "integer": Pair(
            "whole numbers in range", "others, `NaN`, infinity", _ROUND,
            (
                Example(2.0, "int64", 2), Example(1.5, "int64", REFUSED), Example(2.0**63, "int64", REFUSED),
                Example(2.5, "int64", 3, CastOptions(round="half_up")),
            ),
        ),
        "decimal": Pair(
            "numbers whose shortest text fits exactly", "more decimals than the scale, more digits than the precision, `NaN`", _ROUND,
            (
                Example(1.25, "decimal(10,2)", Decimal("1.25")), Example(1.125, "decimal(10,2)", REFUSED),
                Example(1.125, "decimal(10,2)", Decimal("1.12"), CastOptions(round="half_even")),
            ),
        ),
        **dict(own),
    }  # fmt: skip


_FLOAT64 = _floats(
    ("float64", Pair("every value", "nothing", "", (Example(0.1, "float64", 0.1),))),
    (
        "float32",
        Pair(
            "numbers that a float32 holds exactly, `NaN`, infinity", "others, as 0.1", "`round: half_even`: the nearest float32",
            (Example(0.5, "float32", 0.5), Example(0.1, "float32", REFUSED), Example(1e300, "float32", REFUSED)),
        ),
    ),
) | _to_moments(1704189600.0)  # fmt: skip

_FLOAT32 = _floats(
    ("float64", Pair("every value: the same number", "nothing", "", (Example(0.5, "float64", 0.5),))),
    ("float32", Pair("every value", "nothing", "", (Example(0.5, "float32", 0.5),))),
) | {
    name: Pair(*_TO_MOMENT, f"{_NUMBER_OF}; {_FORMAT_OF_NUMBER}", (Example(45293.0, name, REFUSED),))
    for name in ("date", "datetime", "timestamp")
}

_COUNT = (
    "nothing, without an option",
    "every value",
    "`unit`: a whole count since 1970-01-01 UTC; `format`: the digits that it writes",
)
_WRITTEN = "`format`: as the pattern writes it"
_YEARS = "years outside 0001 to 9999"

_DATE = {
    "string": Pair("`2024-01-02`", _YEARS, _WRITTEN, (Example(_DAY, "string", "2024-01-02"), Example(_DAY, "string", "2.1.24", CastOptions("%-d.%-m.%y")))),
    "integer": Pair(*_COUNT, (Example(_DAY, "int64", REFUSED), Example(_DAY, "int32", 20240102, CastOptions("%Y%m%d")))),
    "date": Pair("every day", _YEARS, "", (Example(_DAY, "date", _DAY),)),
    "datetime": Pair("midnight", _YEARS, "", (Example(_DAY, "datetime", _MIDNIGHT),)),
    "timestamp": Pair("midnight UTC", _YEARS, "", (Example(_DAY, "timestamp", _UTC_MIDNIGHT),)),
}  # fmt: skip

_FINER = f"{_YEARS}, nanoseconds"
_DATETIME = {
    "string": Pair("`2024-01-02 10:00:00.000000`", _FINER, _WRITTEN, (Example(_TEN, "string", "2024-01-02 10:00:00.000000"),)),
    "integer": Pair(*_COUNT, (Example(_TEN, "int64", REFUSED), Example(_TEN, "int64", 1704189600, _SECONDS))),
    "date": Pair("midnights", f"moments with a time of day, {_YEARS}", "", (Example(_MIDNIGHT, "date", _DAY), Example(_TEN, "date", REFUSED))),
    "datetime": Pair(
        "every moment, in microseconds", _FINER, "",
        (Example(_TEN, "datetime", _TEN), Example(_TEN, "datetime", _TEN, dtype=pl.Datetime("ns")), Example(_TEN, "datetime", _TEN, dtype=pl.Datetime("ms"))),
    ),
    "timestamp": Pair("the moment, taken for UTC", _FINER, "", (Example(_TEN, "timestamp", _UTC_TEN),)),
}  # fmt: skip
_TIMESTAMP = {
    "string": Pair("`2024-01-02 10:00:00.000000+00:00`", _FINER, _WRITTEN, (Example(_UTC_TEN, "string", "2024-01-02 10:00:00.000000+00:00"),)),
    "integer": Pair(*_COUNT, (Example(_UTC_TEN, "int64", REFUSED), Example(_UTC_TEN, "int64", 1704189600, _SECONDS))),
    "date": Pair("midnights UTC", f"moments with another time of day in UTC, {_YEARS}", "", (Example(_UTC_MIDNIGHT, "date", _DAY), Example(_UTC_TEN, "date", REFUSED))),
    "datetime": Pair("the moment as UTC has it", _FINER, "", (Example(_UTC_TEN, "datetime", _TEN),)),
    "timestamp": Pair("every moment, in microseconds", _FINER, "", (Example(_UTC_TEN, "timestamp", _UTC_TEN),)),
}  # fmt: skip

_TIME = {
    "string": Pair(
        "`10:00:00`, with decimals where there are any",
        "nothing",
        "",
        (Example(time(10, 0, 0, 5), "string", "10:00:00.000005"),),
    )
}
_DURATION = {
    "string": Pair(f"{_ISO}: `PT1M30S`", "nothing", "", (Example(timedelta(seconds=90), "string", "PT1M30S"),))
}
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
    "text": _TEXT, "boolean": _BOOLEAN, "integer": _INTEGER, "decimal": _DECIMALS, "float64": _FLOAT64, "float32": _FLOAT32,
    "date": _DATE, "datetime": _DATETIME, "timestamp": _TIMESTAMP, "time": _TIME, "duration": _DURATION, "binary": _BINARY,
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
