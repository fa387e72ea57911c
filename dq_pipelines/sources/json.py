"""JSON documents: an array of records somewhere in a file.

A document is read as a stream: only the record at hand, and what is read ahead, lies in memory.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal

from dq_pipelines.errors import SourceError, nearest
from dq_pipelines.sources.base import Reading
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.files import FileSource, Part, must_be_unchanged
from dq_pipelines.sources.frames import Chunks, Piece, reading
from dq_pipelines.sources.inputs import Input
from dq_pipelines.sources.json_text import NotJson, check, value_at
from dq_pipelines.sources.ndjson import LONGEST, keep, refuse, utf8_without_mark

_SPACE = re.compile(r"[ \t\r\n]*")
#: Characters read ahead, and characters of records held before they are parked.
_AHEAD = 4 * 1024**2
#: The longest thing but a string that the end of what was read may cut: `-Infinity`, `\\ud800\\udc00`.
_TOKEN = 16


class JsonSource(FileSource):
    """A JSON document (also `.gz` and `.zip`), every value landing as the text it was written in.

    An array is a record for each of its elements, anything else is one record. Columns are the union of
    the records' keys, in order of first appearance; a record that is no object lands in the column
    `value`. `_row` is the number of the record. The document must be strict JSON in UTF-8 to its end, or nothing of it is read.
    """

    kinds = ((".json", ".geojson"),)

    type: Literal["json"]
    #: Where the records are when they are not the whole document: a path of keys, `data.items`, or a
    #: JSON pointer, `/data/items`.
    records: str = ""

    def read(self, inputs: Sequence[Input]) -> Reading:
        rows: list[Piece] = []
        rest: list[Piece] = []
        for item in inputs:
            for part in self.parts(item):
                good, bad = _parsed(part, _keys(self.records))
                must_be_unchanged(item)
                rows += good.pieces(part.source)
                rest += bad.pieces(part.source)
        return reading(rows, rest)


def _keys(path: str) -> list[str]:
    if path.startswith("/"):  # RFC 6901
        return [key.replace("~1", "/").replace("~0", "~") for key in path[1:].split("/")]
    return path.split(".") if path else []


def _parsed(part: Part, path: list[str]) -> tuple[Chunks, Chunks]:
    good, bad = Chunks(), Chunks()
    held: list[tuple[Any, str, int]] = []
    size = 0
    with broken(part.source), Path(part.path).open("rb") as stream:
        # By number and not by line: a document may be one line, and a row's place says which one it is.
        for row, (record, text) in enumerate(_Document(part.source, stream).records(path), 1):
            try:
                check(record, text)
            except NotJson as error:
                refuse(bad, [(row, text, str(error))])
                continue
            held.append((record, text, row))
            size += len(text)
            if size > _AHEAD:
                keep(part.source, good, *zip(*held, strict=True))
                held, size = [], 0
        if held:
            keep(part.source, good, *zip(*held, strict=True))
    return good, bad


class _Document:
    """A cursor over a document that is read ahead as far as the value at hand needs."""

    def __init__(self, source: str, stream: IO[bytes]) -> None:
        self._source = source
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._place = 0
        #: line of the character at `_counted`
        self._line = 1
        self._counted = 0
        self._ended = self._started = False

    def records(self, path: list[str]) -> Iterator[tuple[Any, str]]:
        """Each record and its text; raises SourceError when the document is no JSON."""
        missing = yield from self._at(path, 0)
        if missing is not None:
            raise SourceError(f"{self._source}: {missing}")
        if self._peek():
            raise self._error(f"wanted the end after the document, got {self._text[self._place : self._place + 20]!r}")

    def _at(self, path: list[str], depth: int) -> Generator[tuple[Any, str], None, str | None]:
        """Go down `path` and yield the records there; return the sentence that says what is missing, or None.

        Values beside the path are parsed, too.
        """
        start = self._peek()
        if depth == len(path):
            if start == "[":
                for _ in self._items("]"):
                    yield self._value()
            else:
                yield self._value()
            return None
        key, seen = path[depth], []
        missing: str | None = ""
        if start == "{":
            for _ in self._items("}"):
                name = self._key()
                seen.append(name)
                if name == key:
                    missing = yield from self._at(path, depth + 1)
                else:
                    self._value()
        elif start == "[":
            for place in self._items("]"):
                seen.append(str(place))
                if str(place) == key:
                    missing = yield from self._at(path, depth + 1)
                else:
                    self._value()
        else:
            self._value()
        if missing != "":
            return missing
        where = "/".join(["", *path[:depth]]) or "the top"
        keys_found = ", ".join(dict.fromkeys(seen[:20])) or "none"
        return f"wanted the key '{key}' at {where}, got: {keys_found}{nearest(key, seen)}"

    def _items(self, end: str) -> Iterator[int]:
        """Stand at each item of the array or object that begins here; move past its end."""
        self._place += 1
        if self._peek() == end:
            self._place += 1
            return
        number = 0
        while True:
            yield number
            number += 1
            char = self._peek()
            self._place += 1
            if char == end:
                return
            if char != ",":
                self._place -= 1
                raise self._error(
                    f"wanted ',' or '{end}', got {char!r}" if char else f"wanted ',' or '{end}', got the end"
                )

    def _key(self) -> str:
        if self._peek() != '"':
            raise self._error(f"wanted a key in double quotes, got {self._text[self._place : self._place + 20]!r}")
        key, _ = self._value()
        if (char := self._peek()) != ":":
            raise self._error(f"wanted ':' after a key, got {char!r}")
        self._place += 1
        return str(key)

    def _value(self) -> tuple[Any, str]:
        self._peek()
        while True:
            try:
                value, end = value_at(self._text, self._place)
            except NotJson as error:
                if error.place < len(self._text) - _TOKEN or not self._more():
                    self._place = max(error.place, self._place)
                    raise self._error(str(error)) from None
                continue
            # At the edge of what was read, `12` may be the start of `123`.
            if end < len(self._text) or not self._more():
                text, self._place = self._text[self._place : end], end
                return value, text

    def _peek(self) -> str:
        """The next character that is no space, or the empty string at the end."""
        while True:
            match = _SPACE.match(self._text, self._place)
            self._place = match.end() if match else self._place
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._more():
                return ""

    def _more(self) -> bool:
        if self._ended:
            return False
        self._row()
        self._text, self._place, self._counted = self._text[self._place :], 0, 0
        if len(self._text) > LONGEST:
            raise self._error(f"wanted values of {LONGEST} characters at most, got a longer one")
        # Twice as much each time, so that a long value is not scanned again for every few bytes of it.
        piece = self._stream.read(max(_AHEAD, 2 * len(self._text)))
        if not self._started:
            piece, self._started = utf8_without_mark(self._source, piece), True
        self._ended = not piece
        try:
            self._text += self._decoder.decode(piece, final=self._ended)
        except UnicodeDecodeError as error:
            got = f"byte 0x{error.object[error.start]:02x}"
            raise SourceError(f"{self._source}: wanted JSON in UTF-8, got {got}: {error.reason}") from None
        return not self._ended

    def _row(self) -> int:
        self._line += self._text.count("\n", self._counted, self._place)
        self._counted = self._place
        return self._line

    def _error(self, why: str) -> SourceError:
        return SourceError(f"{self._source}:{self._row()}: {why}")
