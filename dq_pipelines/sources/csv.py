"""CSV and its kin: delimited text in files. How a line becomes fields belongs in `records.py` and `plain.py`.

Every value lands as text. Each line of a file ends in exactly one place: in the header or what was told or
found to stand above and below the table, as a row in `landed`, or in `unreadable` with its number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from dq_pipelines.config.columns import exact
from dq_pipelines.config.model import Many
from dq_pipelines.errors import SourceError
from dq_pipelines.sources import dialect, encoding, header
from dq_pipelines.sources.base import ROW, SOURCE, Input, Reading
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.files import FileSource, Part, scratch_file, unchanged
from dq_pipelines.sources.plain import Plain, lines_about, made_plain
from dq_pipelines.sources.records import Grammar, Shape
from dq_pipelines.sources.rewriting import Text

if TYPE_CHECKING:
    import polars as pl

_EXTRA = "\x00extra"


def _known(name: str) -> str:
    try:
        return name if name == "auto" else encoding.canonical(name)
    except LookupError:
        raise ValueError(f"unknown encoding '{name}'") from None


def _single(mark: str) -> str:
    if mark != "auto" and len(mark) > 1:
        raise ValueError(f"wanted one character, none or auto, got '{mark}'")
    return mark


def _separates(mark: str) -> str:
    if not mark or "\n" in mark or "\r" in mark:
        raise ValueError(f"wanted one or more characters within a line, got {mark!r}")
    return {"\\t": "\t"}.get(mark, mark)


_Count = Annotated[int, Field(ge=0)]
_Mark = Annotated[str, AfterValidator(_single)]


class Csv(FileSource):
    """Delimited text: commas or any other delimiter, found or told, all values as text.

    Each file is looked at by itself, so that files with other columns, in another order or dialect, can
    come together: columns are matched by name, one that a file does not have is null there.
    """

    type: Literal["csv"]
    #: what stands between fields, one or more characters
    delimiter: Annotated[str, AfterValidator(_separates)] = "auto"
    #: what stands around a field that holds delimiters or newlines; "" for nothing
    quote: _Mark = "auto"
    #: what stands before a quote that is part of a value; a doubled quote is always understood
    escape: _Mark = "auto"
    encoding: Annotated[str, AfterValidator(_known)] = "auto"
    #: `\n` and `\r\n` are both understood wherever one of them is
    newline: Literal["auto", "\n", "\r\n", "\r"] = "auto"
    #: lines of names, joined column by column with a space; 0: none, columns are `column_1` and so on
    header_rows: Literal["auto"] | _Count = "auto"
    #: lines above the header that are no part of the table
    skip_rows: Literal["auto"] | _Count = "auto"
    #: lines below the table that are no part of it, blank ones at the very end not counted
    skip_footer: Literal["auto"] | _Count = "auto"
    #: names instead of those in the header
    column_names: Literal["auto"] | Many[str] = "auto"
    #: values that mean that there is none, quoted or not
    null_values: Many[str] = ("",)
    #: a record with too few fields: set aside as unreadable, or filled up with nulls
    ragged: Literal["quarantine", "pad"] = "quarantine"

    def read(self, inputs: Sequence[Input]) -> Reading:
        import polars as pl

        known: list[_Table] = []
        found = []
        for part in (part for item in inputs for part in self.parts(item)):
            with broken(part.source):
                found.append((part, *self._opened(part, known)))
        for item in inputs:
            unchanged(item)
        columns = list(dict.fromkeys(name for _, names, _, _ in found for name in names))
        landed = [
            self._rows(names, plain, first).select(
                *(
                    pl.col(exact(name)) if name in names else pl.lit(None, dtype=pl.String).alias(name)
                    for name in columns
                ),
                pl.lit(part.source).alias(SOURCE),
                pl.col(ROW).cast(pl.Int64),
            )
            for part, names, plain, first in found
            if plain is not None
        ]
        unreadable = [
            pl.scan_parquet(list(plain.unreadable)).select(pl.lit(part.source).alias(SOURCE), ROW, "_text", "_why")
            for part, _, plain, _ in found
            if plain is not None and plain.unreadable
        ]
        text = dict.fromkeys(columns, pl.String) | {SOURCE: pl.String, ROW: pl.Int64}
        nothing = pl.LazyFrame(schema={SOURCE: pl.String, ROW: pl.Int64, "_text": pl.String, "_why": pl.String})
        return Reading(
            pl.concat(landed) if landed else pl.LazyFrame(schema=text),
            pl.concat(unreadable) if unreadable else nothing,
            sum(lines_about(plain.path) for _, _, plain, _ in found if plain is not None),
        )

    def _rows(self, names: Sequence[str], plain: Plain, first: int) -> pl.LazyFrame:
        import polars as pl

        rows = pl.scan_csv(
            plain.path,
            has_header=False,
            schema=dict.fromkeys([*names, _EXTRA], pl.String),
            separator=plain.delimiter,
            quote_char=plain.quote or None,
            skip_lines=first,
            null_values=list(self.null_values) or None,
            empty_string_is_null="" in self.null_values,
            row_index_name=ROW,
            row_index_offset=first + 1,
            missing_columns="insert",
            glob=False,
        )
        if plain.without.len():
            rows = rows.filter(~pl.col(ROW).is_in((plain.without + 1).implode()))
        return rows

    def _opened(self, part: Part, known: list[_Table]) -> tuple[list[str], Plain | None, int]:
        """The names of a file's columns, its rows made plain, and the 0-based line of the first one.

        `known` are the tables of the files before: guessing takes 20 ms, a folder may hold thousands.
        """
        size = part.path.stat().st_size
        if size == 0:
            return self._empty(part, "0 bytes"), None, 0
        text = self._as_text(part)
        lines = encoding.first_lines(text.path)
        if not any(line.strip() for line in lines) and text.path.stat().st_size <= encoding.SAMPLE:
            return self._empty(part, f"{size} bytes of blank lines"), None, 0
        table = next((one for one in known if one.is_that_of(lines)), None)
        if table is None:
            table = self._table(lines, cut=text.path.stat().st_size > encoding.SAMPLE)
            known[4:] = []
            known.insert(0, table)
        end = self._end(text.path, table)
        read = Text(text.path, text.newline, table.grammar, table.shape, table.first, end, table.header, text.undecoded)
        return table.names, made_plain(read, f"its bytes are no {text.encoding}"), table.first

    def _empty(self, part: Part, got: str) -> list[str]:
        if self.header_rows != 0 and self.column_names == "auto":
            raise SourceError(f"{part.source} is empty: wanted a header line, got {got}")
        return [] if self.column_names == "auto" else header.names(self.column_names)

    def _as_text(self, part: Part) -> _Utf8:
        with part.path.open("rb") as data:
            sample = data.read(encoding.SAMPLE)
        name = encoding.guessed(sample) if self.encoding == "auto" else self.encoding
        newline = encoding.newline(sample.decode(name, "replace")) if self.newline == "auto" else self.newline
        if name == "utf-8" and newline != "\r" and encoding.is_utf8(part.path):
            return _Utf8(part.path, name, newline, {})
        if name == "utf-8" and self.encoding == "auto" and not encoding.file_is_utf8(part.path):
            name = "cp1252"  # text beyond ASCII comes only after the sample, and it is no UTF-8
        copy = scratch_file(".txt")
        return _Utf8(copy, name, newline, encoding.copied_as_utf8(part.path, name, newline, copy))

    def _table(self, lines: Sequence[str], *, cut: bool) -> _Table:
        """What the first lines tell of the table; `cut` says that the file goes on after them."""
        told = None if self.column_names == "auto" else list(self.column_names)
        named = dialect.delimiter_line(lines) if self.skip_rows == "auto" else None
        skip = (1 if named else 0) if self.skip_rows == "auto" else self.skip_rows
        marks = [_told(mark) for mark in (self.delimiter, self.quote, self.escape)]
        grammar = dialect.guessed(lines[skip:], marks[0] or named, marks[1], marks[2], cut=cut)
        found = dialect.rows(lines[skip:], grammar, cut=cut)
        found = [row for row in found if not row.cut]
        usual, share = dialect.usual_width(found)
        width = len(told) if told else usual
        found = [dialect.mended(row, lines[skip:], grammar, width) for row in found]
        start = header.first_line(found, width) if self.skip_rows == "auto" else 0
        table = [row for row in found if row.line >= start]
        if table:
            table[0] = dialect.torn(table[0], lines[skip:], grammar)
        height = header.header_lines(table, usual) if self.header_rows == "auto" else self.header_rows
        top = [dialect.torn(row, lines[skip:], grammar) for row in table[:height]]
        body = table[height:]
        names = told or header.joined([row.fields or () for row in top])
        usual, share = dialect.usual_width(body)
        if not names:
            names = [""] * usual
        if told is None and share > 0.5 and len(names) != usual == sum(1 for name in names if name):
            names = [name for name in names if name]  # a delimiter too many in the header only
        if told is None and top and header.names_but_the_first(names, body, usual):
            names = ["", *names]
        most, trailing = _agreed(names, body, usual, share)
        names = names[:most]
        first = skip + (top[-1].line + top[-1].lines if top else start)
        shape = Shape(1 if self.ragged == "pad" else most, most, trailing)
        single = len(top) == 1 and top[0].lines == 1 and most > 1
        return _Table(
            grammar,
            header.names(names),
            shape,
            first,
            lines[first - 1] if single else "",
            tuple(lines[:first]),
            _backslashed(lines),
        )

    def _end(self, path: Path, table: _Table) -> int | None:
        """The line after the table's last one, or None when the table ends with the file."""
        import polars as pl

        blank = 0
        for line in encoding.last_lines(path):
            if line.strip():
                break
            blank += 1
        below = (
            dialect.footer(encoding.last_lines(path, blank), table.shape.fewest, table.grammar)
            if self.skip_footer == "auto"
            else self.skip_footer
        )
        if not below and (not blank or table.shape.most > 1):
            return None
        lines = pl.scan_lines(path, glob=False).select(pl.len()).collect(engine="streaming").item()
        return max(0, int(lines) - blank - below)


@dataclass(frozen=True)
class _Utf8:
    """A file as UTF-8, and what it was before."""

    path: Path
    encoding: str
    newline: str
    undecoded: dict[int, str]


@dataclass(frozen=True)
class _Table:
    grammar: Grammar
    names: list[str]
    shape: Shape
    #: 0-based line of the first record
    first: int
    #: the header as it stands when it is one line of several names
    header: str
    #: the header and all that is above it, and whether a backslash stands before a quote in the first lines
    above: tuple[str, ...]
    backslashed: bool

    def is_that_of(self, lines: Sequence[str]) -> bool:
        """Whether a file that starts with `lines` has this very table: the same header, and lines that fit."""
        if not self.header or self.above != tuple(lines[: self.first]) or self.backslashed != _backslashed(lines):
            return False
        body = [line for line in lines[self.first : self.first + dialect.SAMPLED] if line.strip()]
        fit = sum(1 for line in body if self.shape.fitted(self.grammar.fields(line) or []) is not None)
        return bool(body) and fit >= 0.9 * len(body)


def _backslashed(lines: Sequence[str]) -> bool:
    return any('\\"' in line or "\\'" in line for line in lines[: dialect.SAMPLED])


def _told(mark: str) -> str | None:
    return None if mark == "auto" else mark


def _agreed(names: Sequence[str], body: Sequence[dialect.Row], usual: int, share: float) -> tuple[int, bool]:
    """How many fields a record has by header and body, and whether an empty one more may end it.

    The header has the last word, unless one of the two only has a delimiter more at the end of each line.
    """
    most = len(names)
    unused = all(not row.fields[-1] for row in body if row.fields and row.width == usual)
    if most > 1 and not names[-1].strip() and ((most == usual + 1 and share > 0.5) or (most == usual and unused)):
        return most - 1, True
    if usual == most + 1 and unused:
        return most, True
    return most, False
