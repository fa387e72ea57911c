"""Where the table stands in a file of text, and what its columns are called: guessed from the first lines, or told.

Which characters make fields is `dialect.py`'s, which lines are a header `header.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from dq_pipelines.sources import dialect, encoding, header
from dq_pipelines.sources import names as lake_names
from dq_pipelines.sources.base import FileReport
from dq_pipelines.sources.grammar import Grammar, Shape
from dq_pipelines.sources.names import Rename

if TYPE_CHECKING:
    from dq_pipelines.sources.csv import Csv
    from dq_pipelines.sources.csv_repair import Plain


@dataclass(frozen=True)
class Layout:
    """What the first lines of a file tell of all of it; line numbers are 0-based."""

    grammar: Grammar
    #: for each column its name in the file and its name in the lake
    names: list[Rename]
    shape: Shape
    #: the line on which the header starts, and the line of the first record
    top: int
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

    def report(self, source: str, lines: int, end: End | None, plain: Plain) -> FileReport:
        """How many lines of the file are what, of so many in all."""
        top, first = min(self.top, lines), min(self.first, lines)
        preamble = top - sum(1 for line in self.above[:top] if self.grammar.blank(line))
        below = max(0, lines - max(first, end.line)) if end else 0
        footer = min(below, end.notes) if end else 0
        return FileReport(
            source,
            lines,
            preamble=preamble,
            header=first - top,
            footer=footer,
            blank=top - preamble + below - footer + plain.blank,
            continued=plain.continued,
        )


@dataclass(frozen=True)
class End:
    """Where a table ends before its file does."""

    #: 0-based, of the line after the table's last one
    line: int
    #: lines from there on that are not blank
    notes: int


def end_of(path: Path, lines: int, layout: Layout, told: int | None) -> End | None:
    """Where the table of a file of so many lines ends, `told` lines before the file does; None when with the file."""
    grammar, shape = layout.grammar, layout.shape
    blank = 0
    for line in encoding.last_lines(path):
        # In a table of one column, white space is a value.
        if not grammar.blank(line) or (shape.most == 1 and line.strip("\r")):
            break
        blank += 1
    below = dialect.footer(encoding.last_lines(path, blank), shape.fewest, grammar) if told is None else told
    if not below and (not blank or shape.most > 1):
        return None
    seen = list(islice(encoding.last_lines(path), blank + below))
    notes = blank + below - sum(map(grammar.blank, seen))
    return End(max(0, lines - blank - below), notes)


def laid_out(lines: Sequence[str], source: Csv, *, cut: bool) -> Layout:
    """What the first lines tell of the table, and `source` of it; `cut` says that the file goes on after them."""
    told = None if source.column_names == "auto" else list(source.column_names)
    named = dialect.delimiter_line(lines) if source.skip_rows == "auto" else None
    skip = (1 if named else 0) if source.skip_rows == "auto" else source.skip_rows
    marks = [_told(mark) for mark in (source.delimiter, source.quote, source.escape)]
    grammar = dialect.guessed(lines[skip:], marks[0] or named, marks[1], marks[2], cut=cut)
    found = dialect.rows(lines[skip:], grammar, cut=cut)
    found = [row for row in found if not row.cut]
    usual = dialect.table_width(found)
    width = len(told) if told else usual
    found = [dialect.mended(row, lines[skip:], grammar, width) for row in found]
    start = header.first_line(found, width) if source.skip_rows == "auto" else 0
    table = [row for row in found if row.line >= start]
    if table:
        table[0] = dialect.torn(table[0], lines[skip:], grammar)
    height = header.header_lines(table, usual) if source.header_rows == "auto" else source.header_rows
    top = [dialect.torn(row, lines[skip:], grammar) for row in table[:height]]
    body = table[height:]
    names = told or header.joined([row.fields or () for row in top])
    usual, share = dialect.usual_width(body)
    if not names:
        names = [""] * usual
    if told is None and share > 0.5 and len(names) != usual == sum(1 for name in names if name):
        names = [name for name in names if name]  # a delimiter too many in the header only
    if (
        told is None
        and top
        and header.names_but_the_first(names, body, usual, quoted=_quotes_the_first(lines[skip:], body, grammar))
    ):
        names = ["", *names]
    most, trailing = _agreed(names, body, usual, share)
    names = names[:most]
    begins = skip + (top[0].line if top else start)
    first = skip + (top[-1].line + top[-1].lines if top else start)
    shape = Shape(1 if source.ragged == "pad" else most, most, trailing)
    single = len(top) == 1 and top[0].lines == 1 and most > 1
    return Layout(
        grammar,
        lake_names.named(names),
        shape,
        begins,
        first,
        lines[first - 1] if single else "",
        tuple(lines[:first]),
        _backslashed(lines),
    )


def _backslashed(lines: Sequence[str]) -> bool:
    return any('\\"' in line or "\\'" in line for line in lines[: dialect.SAMPLED])


def _quotes_the_first(lines: Sequence[str], body: Sequence[dialect.Row], grammar: Grammar) -> bool:
    """Whether the first field of every record is quoted, and the last one of none."""
    written = [lines[row.line] for row in body if row.lines == 1]
    quote = grammar.quote
    return bool(quote and written) and all(line.startswith(quote) and not line.endswith(quote) for line in written)


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
