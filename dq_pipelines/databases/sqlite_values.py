"""Values of SQLite, which may be of any kind in any column: their text, times that can be compared, and a digest of rows."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from datetime import UTC, datetime, timedelta

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|\+00:00)?)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 2**63 - 1


class Undecodable(bytes):
    """Text that is no UTF-8."""


def decoded(raw: bytes) -> str | Undecodable:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return Undecodable(raw)


def text_of(value: object) -> str | None:
    """The exact text of a value: digits of numbers, `X'00FF'` for bytes. Of undecodable text there is none."""
    match value:
        case None | Undecodable():
            return None
        case str():
            return value
        case bytes():
            return f"X'{value.hex().upper()}'"
        case _:
            return repr(value)


def shown_row(row: tuple[object, ...]) -> str:
    """A row as people read it, bytes that are no UTF-8 escaped."""
    values = (value.decode(errors="backslashreplace") if isinstance(value, Undecodable) else value for value in row)
    return "(" + ",".join(text_of(value) or "" for value in values) + ")"


def form_of(value: object) -> str | None:
    """The form of a date or moment in ISO 8601, its digits as 0: texts of one form are in the order of their times."""
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return None
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return None
    return re.sub(r"\d", "0", value)


def microseconds(value: str) -> int:
    """A moment in ISO 8601 as microseconds since 1970, in UTC."""
    moment = datetime.fromisoformat(value)
    return (moment.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def in_form(point: int, form: str) -> str:
    """The text of a moment in a form, cut to its digits."""
    least = datetime.min.replace(tzinfo=UTC)
    moment = max(_EPOCH + timedelta(microseconds=point), least) if point > microseconds("0001-01-01") else least
    zone = form[19:].lstrip(".0") if form.endswith("Z") else form[-6:] if "+" in form else ""
    digits = len(form) - len(zone)
    return moment.replace(tzinfo=None).isoformat(form[10:11] or " ", "microseconds")[:digits] + zone


class RowsDigest:
    """An aggregate: a whole number of 63 bits that is another one for other rows, in whatever order."""

    def __init__(self) -> None:
        self._sum = 0

    def step(self, *values: object) -> None:
        self._sum += int.from_bytes(row_digest(*values)[:8], "big")

    def finalize(self) -> int:
        return self._sum % _MOST


def row_digest(*values: object) -> bytes:
    return hashlib.blake2b(repr(values).encode(errors="surrogatepass"), digest_size=16).digest()


def add_functions(connection: sqlite3.Connection) -> None:
    """Give a connection the functions of this module, for its SQL."""
    connection.text_factory = decoded
    connection.create_function("dq_form", 1, form_of, deterministic=True)
    connection.create_function("dq_microseconds", 1, microseconds, deterministic=True)
    connection.create_function("dq_row", -1, row_digest, deterministic=True)
    connection.create_aggregate("dq_rows", -1, RowsDigest)
