"""A text file made plain: what a fast reader can take as it is, and what it cannot, set right or set aside.

One pass of a regular expression finds the lines that are no whole record by themselves (0.2 s for a million
lines of 16 fields). A file without any is read where it lies. Otherwise a copy is made in which line i holds
the record that starts on line i, rewritten if need be, or nothing: row numbers stay line numbers.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from dq_pipelines.sources import encoding
from dq_pipelines.sources.base import ROW
from dq_pipelines.sources.files import scratch_file
from dq_pipelines.sources.records import Grammar, Record, Shape, record

#: Beyond this many fields the expression that checks a line grows too big: lines are read one by one.
MOST_CHECKED = 1_000
_PARKED = 50_000
_BLOCK = 8 * 1024**2
_SAMPLE = 256 * 1024


@dataclass(frozen=True)
class Text:
    """A UTF-8 file and what is known of its lines; line numbers are 0-based."""

    path: Path
    #: what ended its lines before it was made UTF-8
    newline: str
    grammar: Grammar
    shape: Shape
    #: the first line of data, and the line after the last one (None: the file's end)
    first: int
    end: int | None
    #: the header as it stands: files put one after the other repeat it ("" for none, or for one of many lines)
    header: str
    #: lines whose bytes were no text, empty in the file
    undecoded: dict[int, str]


@dataclass
class Plain:
    """A file whose row i is the record that starts on line i, or one of `without`."""

    path: Path
    #: one byte each
    delimiter: str
    quote: str
    #: 0-based lines that hold no record
    without: list[int] = field(default_factory=list)
    #: Parquet files of `_row`, `_text`, `_why`
    unreadable: list[Path] = field(default_factory=list)


def lines_about(path: Path) -> int:
    """How many lines a file has, by those of its beginning, its middle and its end: for progress, where a guess will do."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= 4 * _SAMPLE:
            return file.read().count(b"\n")
        seen = 0
        for place in (0, size // 2, size - _SAMPLE):
            file.seek(place)
            seen += file.read(_SAMPLE).count(b"\n")
    return round(seen * size / (3 * _SAMPLE))


def made_plain(text: Text, why_undecoded: str) -> Plain:
    """See the module. `why_undecoded` is the sentence for lines whose bytes are no text."""
    simple = _is_simple(text.grammar)
    odd, blank = _odd_lines(text) if simple and text.shape.most <= MOST_CHECKED else (None, set[int]())
    troubles = _Troubles()
    for line, raw in text.undecoded.items():
        if text.first <= line and (text.end is None or line < text.end):
            troubles.add(line, raw, why_undecoded)
    grammar = text.grammar if simple else Grammar(",", '"', "")
    plain = Plain(text.path, grammar.delimiter, grammar.quote)
    if odd is None or odd or text.end is not None:
        plain.path = scratch_file(".csv")
        with (
            text.path.open("rb") as source,
            mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data,
            plain.path.open("wb") as out,
        ):
            blank |= _Copy(text, data, out, grammar, troubles).run(odd)
    plain.without = sorted(blank | text.undecoded.keys())
    plain.unreadable = troubles.parked()
    return plain


def _is_simple(grammar: Grammar) -> bool:
    """Whether a reader that knows one-byte delimiters and quotes, and no escape, can read most lines."""
    marks = grammar.delimiter + grammar.quote
    if grammar.escapes_bare and not grammar.quote:
        return False  # a field that needs quotes could not be written
    return len(grammar.delimiter) == 1 and marks.isascii() and grammar.delimiter not in "\r\n"


def _odd_lines(text: Text) -> tuple[list[int], set[int]]:
    """The lines that are no whole record by themselves, and the blank ones."""
    import polars as pl

    line = pl.col("line")
    lines = pl.scan_lines(text.path, row_index_name="at", glob=False)
    odd_one = ~line.str.contains(_whole_line(text.grammar, text.shape))
    if text.header:
        odd_one |= line == text.header
    if text.newline == "\r":
        odd_one |= line.str.contains("\r", literal=True)  # a newline in a cell, exchanged
    found = (
        lines.filter(pl.col("at") >= text.first, odd_one)
        .select("at", blank=line.str.strip_chars() == "")
        .collect(engine="streaming")
    )
    end = text.end
    odd = found.filter(~pl.col("blank"))["at"].sort().to_list()
    blank = set(found.filter("blank")["at"].to_list())
    return [at for at in odd if (end is None or at < end) and at not in text.undecoded], blank


def _whole_line(grammar: Grammar, shape: Shape) -> str:
    delimiter, quote = re.escape(grammar.delimiter), re.escape(grammar.quote)
    escape = re.escape(grammar.escape) if grammar.escaped else ""
    bare = rf"[^{quote}{delimiter}{escape if grammar.escapes_bare else ''}\x00]*"
    if not quote:
        one = bare
    else:
        inside = rf"[^{quote}{escape}\x00]*"
        one = rf"(?:{bare}|{quote}{inside}(?:{quote}{quote}{inside})*{quote})"
    more = f"{{{shape.fewest - 1},{shape.most - 1}}}"
    return f"^{one}(?:{delimiter}{one}){more}{delimiter + '?' if shape.trailing else ''}$"


class _Troubles:
    """Unreadable lines, parked on disk when there are many."""

    def __init__(self) -> None:
        self._files: list[Path] = []
        self._rows: list[tuple[int, str, str]] = []

    def add(self, line: int, text: str, why: str) -> None:
        self._rows.append((line + 1, text, why))
        if len(self._rows) >= _PARKED:
            self._park()

    def parked(self) -> list[Path]:
        if self._rows:
            self._park()
        return self._files

    def _park(self) -> None:
        import polars as pl

        schema = {ROW: pl.Int64, "_text": pl.String, "_why": pl.String}
        path = scratch_file(".parquet")
        pl.DataFrame(self._rows, schema=schema, orient="row").write_parquet(path)
        self._files.append(path)
        self._rows = []


class _Copy:
    """The plain copy of one file, written from its first line to its last."""

    def __init__(self, text: Text, data: mmap.mmap, out: IO[bytes], grammar: Grammar, troubles: _Troubles) -> None:
        self._text, self._data, self._out, self._plain, self._troubles = text, data, out, grammar, troubles
        self._without: set[int] = set()
        #: where the next line starts, and its number
        self._at, self._line = 0, 0

    def run(self, odd: Sequence[int] | None) -> set[int]:
        """Copy, reading the `odd` lines one by one (None: all of them); return the lines that became empty."""
        self._keep_until(self._text.first)
        if odd is None:
            while self._at < len(self._data) and self._line != self._text.end:
                self._take()
        else:
            for line in odd:
                if line >= self._line:
                    self._keep_until(line)
                    self._take()
            self._keep_until(self._text.end)
        return self._without

    def _keep_until(self, line: int | None) -> None:
        until = len(self._data) if line is None else _skipped(self._data, self._at, line - self._line)
        for start in range(self._at, until, _BLOCK):
            self._out.write(self._data[start : min(start + _BLOCK, until)])
        if line is not None:
            self._at, self._line = until, line

    def _take(self) -> None:
        start, number = self._at, self._line
        following = self._following()
        line = next(following)
        if not line.strip():
            lines, written = 1, ""
            if self._text.shape.most > 1:
                self._without.add(number)
        else:
            one = self._record(line, following)
            lines = one.lines
            self._without.update(range(number + 1, number + lines))
            if one.fields is None:
                self._without.add(number)
                self._troubles.add(number, self._restored(one.text), one.why)
                written = ""
            else:
                written = self._plain.written([self._restored(cell) for cell in one.fields])
        self._out.write(written.encode() + b"\n" * lines)
        self._at, self._line = _skipped(self._data, start, lines), number + lines

    def _record(self, line: str, following: Iterator[str]) -> Record:
        if self._text.header and line.removesuffix("\r") == self._text.header:
            return Record(1, None, self._text.header, "it repeats the header")
        return record(line, following, self._text.grammar, self._text.shape)

    def _restored(self, text: str) -> str:
        r"""As it stood in the file: one whose lines end in `\r` has these and `\n` exchanged."""
        return text.translate(encoding.EXCHANGED) if self._text.newline == "\r" else text

    def _following(self) -> Iterator[str]:
        """The line at hand and those after it, as far as they are text that belongs to the table."""
        at, number = self._at, self._line
        while at < len(self._data) and number != self._text.end and number not in self._text.undecoded:
            end = self._data.find(b"\n", at)
            end = len(self._data) if end < 0 else end
            yield self._data[at:end].decode().removeprefix("" if at else "\ufeff")
            at, number = end + 1, number + 1


def _skipped(data: mmap.mmap, at: int, lines: int) -> int:
    """The place `lines` lines after `at`."""
    while lines > 0:
        if lines > 1000:
            block = data[at : at + _BLOCK]
            count = block.count(b"\n")
            if block and count < lines:
                at, lines = at + len(block), lines - count
                continue
        at = data.find(b"\n", at) + 1
        if at == 0:
            return len(data)
        lines -= 1
    return at
