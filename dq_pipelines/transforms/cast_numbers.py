"""Defines the entries of the table of casts for booleans and numbers, by target type."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from dq_pipelines.transforms.cast_entry import (
    DAY,
    EXCEL,
    NUMBER_OF,
    REFUSED,
    ROUND,
    SECONDS,
    TEN,
    UTC_TEN,
    CastEntry,
    Example,
)
from dq_pipelines.transforms.options import CastOptions

BOOLEAN = {
    "string": CastEntry("`true` and `false`", "nothing", "", (Example(True, "string", "true"),)),
    "boolean": CastEntry("every value", "nothing", "", (Example(True, "boolean", True),)),
    **{
        name: CastEntry("1 and 0", "nothing", "", (Example(True, typed_as, 1),))
        for name, typed_as in (("integer", "int8"), ("decimal", "decimal(3,1)"), ("float64", "float64"), ("float32", "float32"))
    },
}  # fmt: skip

_TO_BOOLEAN = ("1 and 0", "other numbers")
_TO_MOMENT = ("nothing, without an option: the meaning of the number is unknown", "every value")
_FORMAT_OF_NUMBER = "`format`: the digits are read as a text, such as 20240102 by `%Y%m%d`"


def _to_moments(ten: Any) -> dict[str, CastEntry]:
    """Casts of numbers to dates and moments; `ten` is 2024-01-02 10:00 in seconds since 1970."""
    asked = f"{NUMBER_OF}; {_FORMAT_OF_NUMBER}"
    kind = type(ten)
    return {
        "date": CastEntry(
            *_TO_MOMENT, asked,
            (
                Example(kind(45293), "date", REFUSED), Example(kind(45293), "date", DAY, EXCEL),
                Example(kind(20240102), "date", DAY, CastOptions("%Y%m%d")), Example(kind(60), "date", REFUSED, EXCEL),
            ),
        ),
        "datetime": CastEntry(*_TO_MOMENT, asked, (Example(ten, "datetime", REFUSED), Example(ten, "datetime", TEN, SECONDS))),
        "timestamp": CastEntry(*_TO_MOMENT, asked, (Example(ten, "timestamp", UTC_TEN, SECONDS),)),
    }  # fmt: skip


INTEGER = {
    "string": CastEntry("its digits", "nothing", "", (Example(1001, "string", "1001"),)),
    "boolean": CastEntry(*_TO_BOOLEAN, "", (Example(1, "boolean", True), Example(2, "boolean", REFUSED))),
    "integer": CastEntry("numbers in range", "numbers out of range", "", (Example(7, "int8", 7), Example(300, "int8", REFUSED))),
    "decimal": CastEntry(
        "numbers in range", "more digits than the precision", "",
        (Example(7, "decimal(3,1)", Decimal(7)), Example(700, "decimal(3,1)", REFUSED)),
    ),
    "float64": CastEntry(
        "numbers that a float64 holds exactly, such as every one up to 2**53", "others", "",
        (Example(2**53, "float64", 2.0**53), Example(2**53 + 1, "float64", REFUSED)),
    ),
    "float32": CastEntry(
        "numbers that a float32 holds exactly, such as every one up to 2**24", "others", "`round: half_even`: the nearest float32",
        (Example(2**24 + 1, "float32", REFUSED), Example(2**24 + 1, "float32", 2.0**24, CastOptions(round="half_even"))),
    ),
    **_to_moments(1704189600),
}  # fmt: skip

DECIMAL = {
    "string": CastEntry("its digits, with all of its scale", "nothing", "", (Example(Decimal("1.5"), "string", "1.5000"),)),
    "boolean": CastEntry(*_TO_BOOLEAN, "", (Example(Decimal(1), "boolean", True), Example(Decimal("0.5"), "boolean", REFUSED))),
    "integer": CastEntry(
        "whole numbers in range", "others", ROUND,
        (
            Example(Decimal("2.0"), "int64", 2), Example(Decimal("1.7"), "int64", REFUSED),
            Example(Decimal("1.7"), "int64", 1, CastOptions(round="down")),
        ),
    ),
    "decimal": CastEntry(
        "numbers that fit exactly", "more decimals than the scale, more digits than the precision", ROUND,
        (
            Example(Decimal("1.25"), "decimal(10,2)", Decimal("1.25")), Example(Decimal("1.2345"), "decimal(10,2)", REFUSED),
            Example(Decimal("1.2345"), "decimal(10,2)", Decimal("1.23"), CastOptions(round="half_even")),
        ),
    ),
    "float64": CastEntry(
        "numbers whose nearest float64 is written as the same decimal, such as every one of 15 digits", "others", "",
        (Example(Decimal("0.1"), "float64", 0.1), Example(Decimal("12345678901234567.8"), "float64", REFUSED)),
    ),
    "float32": CastEntry(
        "numbers whose nearest float32 is written as the same decimal", "others", "`round: half_even`: the nearest float32",
        (Example(Decimal("0.5"), "float32", 0.5), Example(Decimal("1234567.8901"), "float32", REFUSED)),
    ),
    **_to_moments(Decimal(1704189600)),
}  # fmt: skip


def _floats(*own: tuple[str, CastEntry]) -> dict[str, CastEntry]:
    return {
        "string": CastEntry(
            "the shortest text that reads as the same number; whole numbers below 2**63 without `.0`", "nothing", "",
            (Example(1001.0, "string", "1001"), Example(0.5, "string", "0.5"), Example(1e22, "string", "1e+22")),
        ),
        "boolean": CastEntry(*_TO_BOOLEAN, "", (Example(1.0, "boolean", True), Example(0.5, "boolean", REFUSED))),
        "integer": CastEntry(
            "whole numbers in range", "others, `NaN`, infinity", ROUND,
            (
                Example(2.0, "int64", 2), Example(1.5, "int64", REFUSED), Example(2.0**63, "int64", REFUSED),
                Example(2.5, "int64", 3, CastOptions(round="half_up")),
            ),
        ),
        "decimal": CastEntry(
            "numbers whose shortest text fits exactly", "more decimals than the scale, more digits than the precision, `NaN`", ROUND,
            (
                Example(1.25, "decimal(10,2)", Decimal("1.25")), Example(1.125, "decimal(10,2)", REFUSED),
                Example(1.125, "decimal(10,2)", Decimal("1.12"), CastOptions(round="half_even")),
            ),
        ),
        **dict(own),
    }  # fmt: skip


FLOAT64 = _floats(
    ("float64", CastEntry("every value", "nothing", "", (Example(0.1, "float64", 0.1),))),
    (
        "float32",
        CastEntry(
            "numbers that a float32 holds exactly, `NaN`, infinity", "others, such as 0.1", "`round: half_even`: the nearest float32",
            (Example(0.5, "float32", 0.5), Example(0.1, "float32", REFUSED), Example(1e300, "float32", REFUSED)),
        ),
    ),
) | _to_moments(1704189600.0)  # fmt: skip

FLOAT32 = _floats(
    ("float64", CastEntry("every value: the same number", "nothing", "", (Example(0.5, "float64", 0.5),))),
    ("float32", CastEntry("every value", "nothing", "", (Example(0.5, "float32", 0.5),))),
) | {
    name: CastEntry(*_TO_MOMENT, f"{NUMBER_OF}; {_FORMAT_OF_NUMBER}", (Example(45293.0, name, REFUSED),))
    for name in ("date", "datetime", "timestamp")
}
