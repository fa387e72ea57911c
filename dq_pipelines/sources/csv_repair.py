"""Makes a text file plain for a fast reader: records that it would misread are rewritten, or are unreadable.

One pass finds the lines that are no whole record by themselves: a regular expression looks at those that are not surely
one. A file without any is read where it lies. Otherwise a copy is made, so that row numbers stay line
numbers: its line i holds the record that starts on line i, rewritten if need be, or nothing.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dq_pipelines.sources.grammar import Grammar, Shape
from dq_pipelines.sources.line_scan import SureRecord, lines_in
from dq_pipelines.sources.rewriting import PlainCopy, TextFile, UnreadableLines
from dq_pipelines.sources.scratch import scratch_file

if TYPE_CHECKING:
    import polars as pl

#: Beyond this many fields the expression that checks a line grows too big: lines are read one by one.
MOST_CHECKED = 1_000


class TableLayout(Protocol):
    """What has to be known of a table to check its lines; see `Layout`."""

    @property
    def grammar(self) -> Grammar: ...
    @property
    def shape(self) -> Shape: ...
    @property
    def first(self) -> int: ...
    @property
    def header(self) -> str: ...


@dataclass(frozen=True)
class PlainFile:
    """A file whose row i is the record that starts on line i, or one of `without`."""

    path: Path
    #: one byte each
    delimiter: str
    quote: str
    #: 0-based lines that hold no readable record
    without: pl.Series
    #: Parquet files of `_row`, `_text`, `_why`, and how many rows they have
    unreadable: tuple[Path, ...]
    unreadable_count: int
    #: lines between the table's first and last that hold nothing, and those that continue a record
    blank: int
    continued: int


@dataclass(frozen=True)
class CheckedLines:
    """The lines of a file of UTF-8, those of its table checked against a grammar and a shape."""

    #: in all
    count: int
    #: those that are no whole record by themselves: `at` (0-based) and whether it is `blank`, in their order; None where all
    #: lines are to be read one by one
    odd: pl.DataFrame | None


def checked_lines(path: Path, layout: TableLayout, newline: str) -> CheckedLines | None:
    """The lines of a file whose table has this layout, read once; None where a byte of it is no UTF-8."""
    import polars as pl

    odd = [pl.DataFrame(schema={"at": pl.UInt32, "blank": pl.Boolean})]

    def check(numbers: pl.Series, lines: pl.Series) -> None:  # not called for most files
        is_odd, is_blank = _odd(layout, newline)
        doubtful = pl.DataFrame({"at": numbers, "line": lines})
        odd.append(doubtful.lazy().filter(is_odd).select("at", blank=is_blank).collect())

    if not _is_simple(layout.grammar) or layout.shape.most > MOST_CHECKED:
        count = lines_in(path)
        return None if count is None else CheckedLines(count, None)
    count = lines_in(path, _sure_record(layout, newline), check)
    return None if count is None else CheckedLines(count, pl.concat(odd) if len(odd) > 1 else odd[0])


def made_plain(text: TextFile, checked: CheckedLines, why_undecoded: str) -> PlainFile:
    """See the module. `why_undecoded` is the sentence for lines whose bytes are no text."""
    import polars as pl

    simple = _is_simple(text.grammar)
    none = pl.Series(dtype=pl.UInt32)
    odd, blank = (None, none) if checked.odd is None else _of_the_table(text, checked.odd)
    if odd and odd[0] == text.first and not text.grammar.quote:
        simple, odd, blank = False, None, none  # a first line that only quotes could save from the reader
    troubles = UnreadableLines()
    undecoded = [line for line in text.undecoded if text.first <= line and (text.end is None or line < text.end)]
    for line in undecoded:
        troubles.add(line, text.undecoded[line], why_undecoded)
    grammar = text.grammar if simple else Grammar(",", '"', "")
    path, continued, refused = text.path, none, none
    if odd is None or odd or text.end is not None:
        path = scratch_file(".csv")
        with (
            text.path.open("rb") as source,
            mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data,
            path.open("wb") as out,
        ):
            copy = PlainCopy(text, data, out, grammar, troubles)
            copy.run(odd)
        continued, refused = copy.continued.series(), copy.refused.series()
        blank = pl.concat([blank, copy.blank.series()])
        blank = blank.filter(~blank.is_in(continued.implode()))
    without = pl.concat([blank, continued, refused, pl.Series(undecoded, dtype=pl.UInt32)])
    return PlainFile(
        path,
        grammar.delimiter,
        grammar.quote,
        without.sort(),
        tuple(troubles.parked()),
        troubles.count,
        blank.len(),
        continued.len(),
    )


def _is_simple(grammar: Grammar) -> bool:
    """Whether a reader that knows one-byte delimiters and quotes, and no escape, can read most lines."""
    marks = grammar.delimiter + grammar.quote
    if grammar.escapes_bare and not grammar.quote:
        return False  # a field that needs quotes could not be written
    return len(grammar.delimiter) == 1 and marks.isascii() and grammar.delimiter not in "\r\n"


def _of_the_table(text: TextFile, odd: pl.DataFrame) -> tuple[list[int], pl.Series]:
    """The odd lines of a file that lie within its table: those that hold something, and the blank ones."""
    import polars as pl

    at = pl.col("at")
    if not odd.is_empty():  # as most files are; each of the steps below is a query
        odd = odd if text.end is None else odd.filter(at < text.end)
    if text.undecoded and not odd.is_empty():  # which are empty lines here
        odd = odd.filter(~at.is_in(pl.Series(list(text.undecoded), dtype=pl.UInt32).implode()))
    if odd.is_empty():
        return [], odd["at"]
    return odd.filter(~pl.col("blank"))["at"].to_list(), odd.filter("blank")["at"]


def _odd(layout: TableLayout, newline: str) -> tuple[pl.Expr, pl.Expr]:
    """Whether a `line`, `at` its place, is no whole record by itself; and whether it is blank."""
    import polars as pl

    grammar, shape, line = layout.grammar, layout.shape, pl.col("line")
    blank = line.str.strip_chars() == ""
    if not grammar.delimiter.strip():
        blank &= (line == "") | ~line.str.contains(grammar.delimiter, literal=True)
    odd = ~line.str.contains(_whole_line(grammar, shape))
    if layout.header:
        odd |= line == layout.header
    if layout.first:  # the reader leaves a byte order mark out there
        odd |= (pl.col("at") == layout.first) & line.str.starts_with("\ufeff")
    if newline == "\r":
        odd |= line.str.contains("\r", literal=True)  # a newline in a cell, exchanged
    if shape.fewest < shape.most:
        odd |= blank
    return odd, blank


def _sure_record(layout: TableLayout, newline: str) -> SureRecord:
    """Lines that are like this are not odd, whatever else they hold."""
    grammar, shape = layout.grammar, layout.shape
    barred = {"\x00", grammar.escape if grammar.escaped else "", "\r" if newline == "\r" else ""}
    # A blank line has no delimiter.
    fewest = max(1, shape.fewest - 1) if shape.fewest < shape.most else shape.fewest - 1
    return SureRecord(
        first=layout.first,
        delimiter=ord(grammar.delimiter),
        fewest=fewest,
        most=shape.most - 1,
        trailing=shape.trailing,
        quote=ord(grammar.quote) if grammar.quote else None,
        barred="".join(barred).encode(),
        header=layout.header.encode(),
    )


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
