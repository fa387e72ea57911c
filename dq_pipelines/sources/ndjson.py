"""NDJSON: one object a line, each line on its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from dq_pipelines.errors import SourceError
from dq_pipelines.sources.base import ROW, Reading
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.files import FileSource, Part, must_be_unchanged
from dq_pipelines.sources.frames import Chunks, Piece, check_width, reading
from dq_pipelines.sources.inputs import Input
from dq_pipelines.sources.json_text import NotJson, check, frame, values, whole_value
from dq_pipelines.sources.magic import must_be_text

#: Bytes parsed at a time: small enough that their Python values stay under some 50 MB.
BLOCK = 4 * 1024**2
#: A longer line is no record; without an end, it would be held in memory as it grows.
LONGEST = 256 * 1024**2


class NdjsonSource(FileSource):
    """One JSON object a line (also `.gz` and `.zip`), every value landing as the text it was written in.

    Columns are the union of the keys, in order of first appearance; a key that a line does not have is
    null there. Blank lines are passed over. A line that is not one JSON object is `unreadable`; its
    neighbours go on. UTF-8 only, as the format demands.
    """

    kinds = ((".ndjson", ".jsonl"), (".json",), (".log", ".txt"))

    type: Literal["ndjson"]

    def read(self, inputs: Sequence[Input]) -> Reading:
        rows: list[Piece] = []
        rest: list[Piece] = []
        for item in inputs:
            for part in self.parts(item):
                good, bad = _parsed(part)
                must_be_unchanged(item)
                rows += good.pieces(part.source)
                rest += bad.pieces(part.source)
        return reading(rows, rest)


def _parsed(part: Part) -> tuple[Chunks, Chunks]:
    good, bad = Chunks(), Chunks()
    for start, block in _blocks(part):
        lines = _numbered(block, start)
        if lines and not _all_at_once(part, lines, good):
            _one_by_one(part, lines, good, bad)
    return good, bad


def _all_at_once(part: Part, lines: Sequence[tuple[int, str]], good: Chunks) -> bool:
    """Park all lines, or none when any is not as it should be."""
    rows, texts = zip(*lines, strict=True)
    try:
        records = values(texts)
        if records is None or not all(isinstance(record, dict) for record in records):
            return False
        keep(part.source, good, records, texts, rows)
    except (NotJson, UnicodeEncodeError):
        return False
    return True


def _one_by_one(part: Part, lines: Sequence[tuple[int, str]], good: Chunks, bad: Chunks) -> None:
    kept: list[tuple[Any, str, int]] = []
    refused: list[tuple[int, str, str]] = []
    for row, line in lines:
        try:
            kept.append((_record(line), line, row))
        except NotJson as error:
            refused.append((row, _shown(line), str(error)))
    if kept:
        keep(part.source, good, *zip(*kept, strict=True))
    refuse(bad, refused)


def _record(line: str) -> dict[str, Any]:
    try:
        line.encode()
    except UnicodeEncodeError as error:
        raise NotJson(
            f"wanted UTF-8, got {_shown(line[error.start])} at character {error.start + 1}", error.start
        ) from None
    record = whole_value(line)
    if not isinstance(record, dict):
        raise NotJson(f"wanted a JSON object, got {_kind(record)}", 0)
    check(record, line)
    return record


def keep(source: str, good: Chunks, records: Sequence[Any], texts: Sequence[str], rows: Sequence[int]) -> None:
    """Park records; raises SourceError when they have more keys than a table can have columns."""
    keys = {key for record in records if isinstance(record, dict) for key in record}
    check_width(source, len(keys.union(good.places)))
    good.add(frame(records, texts, rows, good.places))


def refuse(bad: Chunks, refused: Sequence[tuple[int, str, str]]) -> None:
    """Park what could not be read: `_row`, `_text`, `_why`."""
    import polars as pl

    bad.add(pl.DataFrame(refused, schema={ROW: pl.Int64, "_text": pl.String, "_why": pl.String}, orient="row"))


def _blocks(part: Part) -> Iterator[tuple[int, bytes]]:
    """Whole lines, about `BLOCK` bytes of them, and the number of the first."""
    number, rest = 1, b""
    with broken(part.source), Path(part.path).open("rb") as stream:
        while piece := stream.read(BLOCK):
            if number == 1 and not rest:
                piece = utf8_without_mark(part.source, piece)
            whole, newline, rest_of = piece.rpartition(b"\n")
            if not newline:
                rest += piece
                if len(rest) > LONGEST:
                    raise SourceError(
                        f"{part.source}:{number}: wanted a line of {LONGEST} bytes at most, got a longer one"
                    )
                continue
            block = rest + whole
            yield number, block
            number += block.count(b"\n") + 1
            rest = rest_of
        if rest:
            yield number, rest


def utf8_without_mark(source: str, start: bytes) -> bytes:
    """The beginning of a file without a byte order mark; raises SourceError when it is UTF-16."""
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise SourceError(f"{source}: wanted JSON in UTF-8, got UTF-16 (it starts with its byte order mark)")
    # What a line's control characters are to be called is said of the line.
    must_be_text(source, start, "JSON in UTF-8", wide=True)
    return start.removeprefix(b"\xef\xbb\xbf")


def _numbered(block: bytes, start: int) -> list[tuple[int, str]]:
    try:
        lines = block.decode().split("\n")
    except UnicodeDecodeError:
        # Bytes that are no UTF-8 become half surrogates here, which no parser below lets pass as text.
        lines = [line.decode(errors="surrogateescape") for line in block.split(b"\n")]
    return [(number, line) for number, line in enumerate(lines, start) if line.strip(" \t\r")]


def _shown(line: str) -> str:
    """The line with bytes that are no UTF-8 as their numbers."""
    return line.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _kind(value: Any) -> str:
    names = {list: "an array", str: "a string or number", bool: "true or false", type(None): "null"}
    return names[type(value)]
