"""What a cast must give, by Python's own numbers and calendar: no expression of ours or of Polars takes part."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import polars as pl

#: A value that is refused.
NOTHING = None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGERS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_TRUTHS = {"true": True, "t": True, "yes": True, "y": True, "1": True, "false": False, "f": False, "no": False, "n": False, "0": False}  # fmt: skip


def expected(value: Any, landed: pl.DataType, wanted: str) -> Any:
    """The published value, or None where the row is refused."""
    match landed:
        case pl.String():
            return _of_text(value, wanted)
        case pl.Boolean():
            return str(value).lower() if wanted == "string" else _of_number(int(value), landed, wanted)
        case pl.Date() | pl.Datetime():
            return _of_moment(value, wanted)
    if wanted == "string":
        return _text_of(value, landed)
    if wanted == "binary":
        return value if isinstance(value, bytes) else NOTHING
    return _of_number(value, landed, wanted) if isinstance(value, int | float | Decimal) else NOTHING


def _of_number(value: float | Decimal, landed: pl.DataType, wanted: str) -> Any:
    if wanted == "boolean":
        return {0: False, 1: True}.get(value)  # type: ignore[call-overload]
    if wanted.startswith("int"):
        return _integer(Fraction(value), wanted) if _is_finite(value) else NOTHING
    if wanted.startswith("decimal"):
        return _decimal(_shortest(value, landed), wanted) if _is_finite(value) else NOTHING
    if wanted in ("float32", "float64"):
        return _float(value, wanted)
    return NOTHING


def _is_finite(value: float | Decimal) -> bool:
    return not isinstance(value, float) or value - value == 0


def _shortest(value: float | Decimal, landed: pl.DataType) -> Decimal:
    """A float as the shortest decimal that is read as it."""
    if not isinstance(value, float):
        return Decimal(value)
    return Decimal(repr(value)) if isinstance(landed, pl.Float64) else _shortest_single(value)


def _shortest_single(value: float) -> Decimal:
    for digits in range(1, 10):
        text = f"{value:.{digits - 1}e}"
        if single(float(text)) == value:
            return Decimal(text)
    raise AssertionError(value)


def single(value: float | Decimal | Fraction) -> float:
    """The nearest float32, of two as near the one whose last bit is 0."""
    if isinstance(value, float) and (math.isnan(value) or value in (float("inf"), float("-inf"))):
        return value
    exact = Fraction(value)
    if abs(exact) >= 2**128 - 2**103:
        return float("inf") if exact > 0 else float("-inf")
    try:
        near = struct.unpack("<I", struct.pack("<f", float(exact)))[0]
    except OverflowError:  # within half a step of the greatest one
        near = 0x7F7FFFFF | (exact < 0) << 31
    around = [bits for bits in (near - 1, near, near + 1) if bits >= 0 and bits & 0x7F800000 != 0x7F800000]
    floats = {bits: float(struct.unpack("<f", struct.pack("<I", bits))[0]) for bits in around}
    return floats[min(around, key=lambda bits: (abs(Fraction(floats[bits]) - exact), bits & 1))]


def _integer(value: Fraction, wanted: str) -> int | None:
    bits = _INTEGERS[wanted]
    return int(value) if value.denominator == 1 and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1) else NOTHING


def _decimal(value: Decimal, wanted: str) -> Decimal | None:
    precision, scale = map(int, re.findall(r"\d+", wanted))
    scaled = Fraction(value) * 10**scale
    return value if scaled.denominator == 1 and abs(scaled) < 10**precision else NOTHING


def _float(value: Any, wanted: str) -> float | None:
    kind: Callable[[Any], float] = single if wanted == "float32" else float
    if isinstance(value, float):
        found = kind(value)
        return found if found == value or math.isnan(value) else NOTHING
    found = kind(value)
    if not _is_finite(found):
        return NOTHING
    if isinstance(value, int):
        return found if int(found) == value else NOTHING
    shortest = Decimal(repr(found)) if wanted == "float64" else _shortest_single(found)
    return found if shortest == value else NOTHING


def _text_of(value: Any, landed: pl.DataType) -> Any:
    """The text; for a float and a duration what the text says, since there are several ways to write it."""
    match value:
        case float() if _is_finite(value) and value == int(value) and abs(value) < 2**63:
            return str(int(value))
        case float() if not _is_finite(value):
            return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
        case float():
            return Decimal(_shortest(value, landed))
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return NOTHING
        case time():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case list() | dict():
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        case timedelta():
            return value
    return str(value)


def _of_moment(value: date, wanted: str) -> Any:
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001
    utc = (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None)
    if wanted == "date":
        return utc.date() if utc.time() == time() else NOTHING
    if wanted == "datetime":
        return utc
    if wanted == "timestamp":
        return utc.replace(tzinfo=UTC)
    if wanted != "string":
        return NOTHING
    if not isinstance(value, datetime):
        return f"{value.year:04}-{value.month:02}-{value.day:02}"
    return f"{utc.year:04}{utc:-%m-%d %H:%M:%S.%f}{'+00:00' if value.tzinfo else ''}"


def _of_text(text: str, wanted: str) -> Any:
    plain = text.strip()
    if wanted == "string":
        return text
    if wanted == "binary":
        return text.encode()
    if wanted == "boolean":
        return _TRUTHS.get(plain.lower())
    if wanted in ("date", "datetime", "timestamp"):
        return _moment_in(plain, wanted)
    number = _number_in(plain)
    if number is None:
        return NOTHING
    if wanted.startswith("int"):
        return _integer(Fraction(int(plain)), wanted) if re.fullmatch(r"[+-]?[0-9]+", plain) else NOTHING
    if wanted.startswith("decimal"):
        return _decimal(number, wanted) if number.is_finite() else NOTHING
    if not number.is_finite():
        return float(number)
    found = float(number) if wanted == "float64" else single(number)
    exact = not re.fullmatch(r"[+-]?[0-9]+", plain) or Fraction(number) == (
        Fraction(found) if _is_finite(found) else None
    )
    return found if _is_finite(found) and (found != 0 or number == 0) and exact else NOTHING


def _number_in(text: str) -> Decimal | None:
    if not re.fullmatch(
        r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(inf|nan)", text, re.ASCII | re.IGNORECASE
    ):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _moment_in(text: str, wanted: str) -> Any:
    """The forms that the laws draw: those that Python reads too, and no two-digit years."""
    if not re.match(r"[0-9]{4}", text) or re.search(r"[.,][0-9]{6}[0-9]*[1-9]", text):
        return NOTHING
    try:
        moment = datetime.fromisoformat(text.upper().replace(",", "."))
        utc = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return NOTHING
    return _of_moment(utc, wanted)


def said(text: str, landed: pl.DataType) -> Any:
    """What a published text says, where `expected` gives no text."""
    if landed.is_float() and not re.fullmatch(r"-?[0-9]+|NaN|-?inf", text):
        return Decimal(text)
    if isinstance(landed, pl.Duration):
        found = re.fullmatch(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d+))?S)?)?", text)
        assert found is not None, text
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:5])
        span = timedelta(days, seconds, int((found[6] or "").ljust(6, "0")), 0, minutes, hours)
        return -span if found[1] else span
    return text
