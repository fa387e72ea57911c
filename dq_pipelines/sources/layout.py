"""Where the table stands in a file of text, and what its columns are called: as the YAML says, or guessed from the first lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol

from dq_pipelines.sources import dialect, encoding, header
from dq_pipelines.sources import names as lake_names
from dq_pipelines.sources.base import FileReport
from dq_pipelines.sources.csv_repair import PlainFile
from dq_pipelines.sources.grammar import Grammar, Shape
from dq_pipelines.sources.names import Rename


class LayoutOptions(Protocol):
    """The options of a source that say how its files are laid out; see `Csv`."""

    @property
    def delimiter(self) -> str: ...
    @property
    def quote(self) -> str: ...
    @property
    def escape(self) -> str: ...
    @property
    def header_rows(self) -> Literal["auto"] | int: ...
    @property
    def skip_rows(self) -> Literal["auto"] | int: ...
    @property
    def column_names(self) -> Literal["auto"] | Sequence[str]: ...
    @property
    def ragged(self) -> Literal["quarantine", "pad"]: ...


@dataclass(frozen=True)
class Layout:
    """What the first lines of a file say of all of it; line numbers are 0-based."""

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

    def report(self, source: str, lines: int, end: TableEnd | None, plain: PlainFile) -> FileReport:
        """The report on a file of `lines` lines, of which `plain` has counted some."""
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
class TableEnd:
    """Where a table ends before its file does."""

    #: 0-based, of the line after the table's last one
    line: int
    #: lines from there on that are not blank
    notes: int


def end_of(path: Path, lines: int, layout: Layout, given: int | None) -> TableEnd | None:
    """Where the table of a file of `lines` lines ends; None when it ends with the file.

    `given` is how many lines below it are no part of it, by the YAML.
    """
    grammar, shape = layout.grammar, layout.shape
    blank = 0
    for line in encoding.last_lines(path):
        # In a table of one column, white space is a value.
        if not grammar.blank(line) or (shape.most == 1 and line.strip("\r")):
            break
        blank += 1
    below = dialect.footer(encoding.last_lines(path, blank), shape.fewest, grammar) if given is None else given
    if not below and (not blank or shape.most > 1):
        return None
    below_lines = list(islice(encoding.last_lines(path), blank + below))
    notes = blank + below - sum(map(grammar.blank, below_lines))
    return TableEnd(max(0, lines - blank - below), notes)


def laid_out(lines: Sequence[str], source: LayoutOptions, *, cut: bool) -> Layout:
    """The layout by the first lines and the options of `source`; `cut` says that the file goes on after these lines."""
    given_names = None if source.column_names == "auto" else list(source.column_names)
    named = dialect.delimiter_line(lines) if source.skip_rows == "auto" else None
    skip = (1 if named else 0) if source.skip_rows == "auto" else source.skip_rows
    marks = [_unless_auto(mark) for mark in (source.delimiter, source.quote, source.escape)]
    grammar = dialect.guessed(lines[skip:], marks[0] or named, marks[1], marks[2], cut=cut)
    records = dialect.rows(lines[skip:], grammar, cut=cut)
    records = [row for row in records if not row.cut]
    usual = dialect.table_width(records)
    width = len(given_names) if given_names else usual
    records = [dialect.mended(row, lines[skip:], grammar, width) for row in records]
    start = header.first_line(records, width) if source.skip_rows == "auto" else 0
    table = [row for row in records if row.line >= start]
    if table:
        table[0] = dialect.torn(table[0], lines[skip:], grammar)
    height = header.header_lines(table, usual) if source.header_rows == "auto" else source.header_rows
    top = [dialect.torn(row, lines[skip:], grammar) for row in table[:height]]
    body = table[height:]
    names = given_names or header.joined([row.fields or () for row in top])
    usual, share = dialect.usual_width(body)
    if not names:
        names = [""] * usual
    if given_names is None and share > 0.5 and len(names) != usual == sum(1 for name in names if name):
        names = [name for name in names if name]  # a delimiter too many in the header only
    if (
        given_names is None
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


def _quotes_the_first(lines: Sequence[str], body: Sequence[dialect.SampleRecord], grammar: Grammar) -> bool:
    """Whether the first field of every record is quoted, and the last one of none."""
    written = [lines[row.line] for row in body if row.lines == 1]
    quote = grammar.quote
    return bool(quote and written) and all(line.startswith(quote) and not line.endswith(quote) for line in written)


def _unless_auto(mark: str) -> str | None:
    return None if mark == "auto" else mark


def _agreed(names: Sequence[str], body: Sequence[dialect.SampleRecord], usual: int, share: float) -> tuple[int, bool]:
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
