"""The plain copy of a text file, for `csv_repair.py`: line i holds the record that starts on line i, or nothing."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dq_pipelines.sources import encoding
from dq_pipelines.sources.base import ROW
from dq_pipelines.sources.grammar import Grammar, Shape
from dq_pipelines.sources.records import LONGEST_RECORD, Lines, Record, record
from dq_pipelines.sources.scratch import scratch_file

if TYPE_CHECKING:
    import polars as pl

_PARKED = 50_000
_BLOCK = 8 * 1024**2
#: Longer runs of lines are kept as one, shorter ones line by line.
_LONG_RUN = 1_000


@dataclass(frozen=True)
class TextFile:
    """A UTF-8 file with its grammar and the place of its table; line numbers are 0-based."""

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


class UnreadableLines:
    """Unreadable lines, parked on disk when there are many."""

    def __init__(self) -> None:
        self.count = 0
        self._files: list[Path] = []
        self._rows: list[tuple[int, str, str]] = []

    def add(self, line: int, text: str, why: str) -> None:
        """Add the text of a line, by its 0-based number, with a sentence that says why it cannot be read."""
        self.count += 1
        self._rows.append((line + 1, text, why))
        if len(self._rows) >= _PARKED:
            self._park()

    def parked(self) -> list[Path]:
        """The Parquet files of all lines added: `_row` (from 1), `_text`, `_why`."""
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


class LineRanges:
    """Numbers of lines, of which many may follow one another."""

    def __init__(self) -> None:
        self._single: list[int] = []
        self._long: list[range] = []

    def add(self, lines: range) -> None:
        if len(lines) > _LONG_RUN:
            self._long.append(lines)
        else:
            self._single += lines

    def series(self) -> pl.Series:
        import polars as pl

        runs = [pl.int_range(run.start, run.stop, dtype=pl.UInt32, eager=True) for run in self._long]
        return pl.concat([pl.Series(self._single, dtype=pl.UInt32), *runs])


class PlainCopy:
    """The plain copy of one file, written from its first line to its last."""

    def __init__(
        self, text: TextFile, data: mmap.mmap, out: IO[bytes], grammar: Grammar, troubles: UnreadableLines
    ) -> None:
        self._text, self._data, self._out, self._plain, self._troubles = text, data, out, grammar, troubles
        #: lines that hold nothing, those that continue a record, and those where an unreadable one starts
        self.blank, self.continued, self.refused = LineRanges(), LineRanges(), LineRanges()
        #: where the next line starts, and its number
        self._at, self._line = 0, 0

    def run(self, odd: Sequence[int] | None) -> None:
        """Copy, reading the `odd` lines one by one (None: all of them)."""
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

    def _keep_until(self, line: int | None) -> None:
        until = len(self._data) if line is None else _skipped(self._data, self._at, line - self._line)
        for start in range(self._at, until, _BLOCK):
            self._out.write(self._data[start : min(start + _BLOCK, until)])
        if line is not None:
            self._at, self._line = until, line

    def _take(self) -> None:
        start, number = self._at, self._line
        if number in self._text.undecoded:
            lines, written = 1, ""
        else:
            lines, written = self._rewritten(number)
        self._out.write(written.encode() + b"\n" * lines)
        self._at, self._line = _skipped(self._data, start, lines), number + lines

    def _rewritten(self, number: int) -> tuple[int, str]:
        """How many lines the record takes that starts here, and what takes their place."""
        following = _Following(self._text, self._data, self._at, number)
        line = next(following)
        if self._text.shape.most > 1 and self._text.grammar.blank(line):
            self.blank.add(range(number, number + 1))
            return 1, ""
        read = self._record(line, following)
        self.continued.add(range(number + 1, number + read.lines))
        if read.fields is None:
            self.refused.add(range(number, number + 1))
            self._troubles.add(number, self._restored(read.text), read.why)
            return read.lines, ""
        return read.lines, self._plain.written([self._restored(cell) for cell in read.fields])

    def _record(self, line: str, following: Iterator[str]) -> Record:
        if self._text.header and line.removesuffix("\r") == self._text.header:
            return Record(1, None, self._text.header, "it repeats the header")
        return record(line, following, self._text.grammar, self._text.shape)

    def _restored(self, text: str) -> str:
        r"""As it stood in the file: one whose lines end in `\r` has these and `\n` exchanged."""
        return text.translate(encoding.EXCHANGED) if self._text.newline == "\r" else text


class _Following(Lines):
    """The line at hand and those after it, as far as they are text that belongs to the table."""

    def __init__(self, text: TextFile, data: mmap.mmap, at: int, line: int) -> None:
        self._text, self._data, self._at, self._line = text, data, at, line

    def __next__(self) -> str:
        at, number = self._at, self._line
        if at >= len(self._data) or number == self._text.end or number in self._text.undecoded:
            raise StopIteration
        end = self._data.find(b"\n", at)
        end = len(self._data) if end < 0 else end
        self._at, self._line = end + 1, number + 1
        return self._data[at:end].decode().removeprefix("" if at else "\ufeff")

    def before(self, mark: str) -> tuple[str, int]:
        at = self._at
        place = self._data.find(mark.encode(), at, at + 4 * LONGEST_RECORD)
        if place < 0:
            self._at = len(self._data)  # no field that is open here is ever closed
            return "", 0
        end = self._data.rfind(b"\n", at, place) + 1
        if end <= at:
            return "", 0
        block = self._data[at:end]
        lines = block.count(b"\n")
        first, last = self._line, self._line + lines
        if self._text.end is not None and last > self._text.end:
            return "", 0
        if any(first <= line < last for line in self._text.undecoded):
            return "", 0
        self._at, self._line = end, last
        return block[:-1].decode(), lines


def _skipped(data: mmap.mmap, at: int, lines: int) -> int:
    """The place `lines` lines after `at`: block by block as long as blocks hold fewer lines, then line by line."""
    size = min(_BLOCK, 32 * lines)
    while lines > 0:
        if size > 4096:
            block = data[at : at + size]
            count = block.count(b"\n")
            if block and count < lines:
                at, lines = at + len(block), lines - count
            else:
                size //= 2
            continue
        at = data.find(b"\n", at) + 1
        if at == 0:
            return len(data)
        lines -= 1
    return at
