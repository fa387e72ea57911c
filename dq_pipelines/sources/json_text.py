"""JSON values as the text they were written in.

A record lands as text, cell by cell. A string is its content, a number its digits as they stand in the file: `1.10`,
`1e400` and twenty digits survive. `true` and `false` stay, null is null, an object or array is compact JSON.
When a key comes twice in one record, the last value counts, as in every JSON library. One that differs
from it is kept as `key_2`, or the next number that no key has.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from itertools import chain
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, NoReturn

from dq_pipelines.sources.base import ROW
from dq_pipelines.sources.names import AGAIN

if TYPE_CHECKING:
    import polars as pl

#: The column of a record that is no object.
VALUE = "value"
#: Half a surrogate pair may be written in JSON, but is no character and has no UTF-8.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class NotJson(ValueError):
    """One sentence on what is wrong, and where in the text it is."""

    def __init__(self, why: str, place: int) -> None:
        super().__init__(why)
        self.place = place


class _Number(str):
    """A number's digits, told from a string's content where it matters: inside nested values."""

    __slots__ = ()


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"wanted a JSON value, got {name}")


def _spread(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object out of its keys and values: of a key that comes again the last value, the others marked as `AGAIN`."""
    record = dict(pairs)
    if len(record) == len(pairs):
        return record
    for key, value in pairs:
        name = key
        while name in record and record[name] != value:
            name += AGAIN
        record[name] = value
    return record


class _Object(dict[str, Any]):
    """An object whose keys and values are known as they stand in the file."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(_spread(pairs))
        self.pairs = pairs


_landing = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_no_number, object_pairs_hook=_spread)
_exact = json.JSONDecoder(parse_float=_Number, parse_int=_Number, parse_constant=_no_number, object_pairs_hook=_Object)


def value_at(text: str, place: int) -> tuple[Any, int]:
    """The value that starts exactly at `place`, numbers as their digits, and where it ends; raises NotJson."""
    return _scan(_landing, text, place)


def whole_value(text: str) -> Any:
    """The one value that `text` holds, with space around it at most; raises NotJson."""
    inner = text.strip(" \t\r\n")
    value, end = _scan(_landing, inner, 0)
    if end != len(inner):
        raise NotJson(f"wanted one JSON value, got more after it: {_excerpt(inner, end)}", end)
    return value


def values(lines: Sequence[str]) -> list[Any] | None:
    """What `whole_value` gives for each line, in one native call; None when any line is not plain JSON.

    The lines are parsed as one array with a separator between them that occurs in no line. When the array then holds
    a separator at every second place, and as many as were put in, each lay at the top level. So between two of them
    there is exactly one value, and it is a line.
    """
    separator = str(10**17 + secrets.randbelow(10**18))
    text = f",{separator},".join(lines)
    if _SURROGATE.search(text) or text.count(separator) != len(lines) - 1:
        return None
    try:
        items = _landing.decode(f"[{text}]")
    except (ValueError, RecursionError):
        return None
    if len(items) != 2 * len(lines) - 1 or items[1::2] != [separator] * (len(lines) - 1):
        return None
    return items[::2]  # type: ignore[no-any-return]


def check(value: Any, text: str, place: int = 0) -> None:
    """Raise NotJson when `value`, which was written as `text`, could not be written again as UTF-8."""
    nested = isinstance(value, dict | list) and any(
        isinstance(item, dict | list) for item in (value.values() if isinstance(value, dict) else value)
    )
    if not nested and not _SURROGATE.search(text):
        return
    try:
        compact(value).encode()
    except UnicodeEncodeError:
        raise NotJson(
            "wanted text, got half a surrogate pair (\\ud800 to \\udfff), which is no character", place
        ) from None
    except RecursionError:
        raise _too_deep(place) from None


def compact(value: Any) -> str:
    """`value` as JSON without spaces; digits that came from the exact decoder stay as they were."""
    if isinstance(value, _Number):
        return value
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict):
        pairs = value.pairs if isinstance(value, _Object) else value.items()
        return "{" + ",".join([f"{encode_basestring(key)}:{compact(item)}" for key, item in pairs]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([compact(item) for item in value]) + "]"
    return "null" if value is None else "true" if value else "false"


def frame(records: Sequence[Any], texts: Sequence[str], rows: Sequence[int], places: dict[str, str]) -> pl.DataFrame:
    """Records as columns of text, then `_row`. `texts[i]` is what `records[i]` was written as.

    Columns are called by number, which `places` has by the names in the file and learns of new ones.

    Raises NotJson when a value is nested too deeply to be written again, which `check` finds out of one record.
    """
    import polars as pl

    objects = [record if isinstance(record, dict) else {VALUE: record} for record in records]
    keys = dict.fromkeys(chain.from_iterable(objects))
    columns = {name: pl.Series(_column(name, objects, texts), dtype=pl.String) for name in keys}
    placed = {places.setdefault(name, str(len(places))): column for name, column in columns.items()}
    return pl.DataFrame({**placed, ROW: pl.Series(rows, dtype=pl.Int64)})


def _column(name: str, objects: Sequence[Mapping[str, Any]], texts: Sequence[str]) -> list[str | None]:
    cells: list[Any] = [record.get(name) for record in objects]
    if {*map(type, cells)} <= {str, type(None)}:
        return cells
    return [
        cell if cell is None or isinstance(cell, str)
        else "true" if cell is True
        else "false" if cell is False
        else _nested(texts[place], name, place)
        for place, cell in enumerate(cells)
    ]  # fmt: skip


def _nested(text: str, name: str, place: int) -> str:
    # Parsed once more, and only where a record has something nested: it costs half as much as always knowing.
    try:
        record, _ = _scan(_exact, text.strip(" \t\r\n"), 0)
        return compact(record[name] if isinstance(record, dict) else record)
    except RecursionError:
        raise _too_deep(place) from None


def _scan(decoder: json.JSONDecoder, text: str, place: int) -> tuple[Any, int]:
    try:
        return decoder.scan_once(text, place)  # type: ignore[attr-defined,no-any-return]
    except StopIteration as error:
        at = error.value
        raise NotJson(f"wanted a JSON value, got {_excerpt(text, at)}", at) from None
    except json.JSONDecodeError as error:
        # Of an unterminated string the decoder tells the start, but what is missing is missing at the end.
        at = len(text) if error.msg.startswith("Unterminated string") else error.pos
        raise NotJson(
            f"{error.msg[0].lower()}{error.msg[1:].rstrip(': ')}, got {_excerpt(text, error.pos)}", at
        ) from None
    except RecursionError:
        raise _too_deep(place) from None
    except ValueError as error:
        raise NotJson(str(error), place) from None


def _too_deep(place: int) -> NotJson:
    return NotJson("wanted values nested a few hundred deep at most, got deeper ones", place)


def _excerpt(text: str, place: int) -> str:
    rest = text[place : place + 20]
    return f"{rest!r} at character {place + 1}" if rest else "the end"
