"""Makes a text file plain for a fast reader: records that it would misread are rewritten, or are unreadable.

One pass of a regular expression finds the lines that are no whole record by themselves (0.2 s for a million
lines of 16 fields). A file without any is read where it lies. Otherwise a copy is made, so that row numbers stay line
numbers: its line i holds the record that starts on line i, rewritten if need be, or nothing.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dq_pipelines.sources.grammar import Grammar, Shape
from dq_pipelines.sources.rewriting import PlainCopy, TextFile, UnreadableLines
from dq_pipelines.sources.scratch import scratch_file

if TYPE_CHECKING:
    import polars as pl

#: Beyond this many fields the expression that checks a line grows too big: lines are read one by one.
MOST_CHECKED = 1_000


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


def made_plain(text: TextFile, why_undecoded: str) -> PlainFile:
    """See the module. `why_undecoded` is the sentence for lines whose bytes are no text."""
    import polars as pl

    simple = _is_simple(text.grammar)
    none = pl.Series(dtype=pl.UInt32)
    odd, blank = _odd_lines(text) if simple and text.shape.most <= MOST_CHECKED else (None, none)
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


def _odd_lines(text: TextFile) -> tuple[list[int], pl.Series]:
    """The lines that are no whole record by themselves, and the blank ones."""
    import polars as pl

    line, at = pl.col("line"), pl.col("at")
    blank = line.str.strip_chars() == ""
    if not text.grammar.delimiter.strip():
        blank &= (line == "") | ~line.str.contains(text.grammar.delimiter, literal=True)
    odd = ~line.str.contains(_whole_line(text.grammar, text.shape))
    if text.header:
        odd |= line == text.header
    if text.first:  # the reader leaves a byte order mark out there
        odd |= (at == text.first) & line.str.starts_with("\ufeff")
    if text.newline == "\r":
        odd |= line.str.contains("\r", literal=True)  # a newline in a cell, exchanged
    if text.shape.fewest < text.shape.most:
        odd |= blank
    within = (at >= text.first) & (pl.lit(True) if text.end is None else at < text.end)
    lines = pl.scan_lines(text.path, row_index_name="at", glob=False)
    odd_or_blank = lines.filter(within, odd).select("at", blank=blank).collect(engine="streaming")
    if odd_or_blank.is_empty():  # as most files are; each of the steps below is a query
        return [], odd_or_blank["at"]
    odd_or_blank = odd_or_blank.sort("at")
    if text.undecoded:  # which are empty lines here
        odd_or_blank = odd_or_blank.filter(~at.is_in(pl.Series(list(text.undecoded), dtype=pl.UInt32).implode()))
    return odd_or_blank.filter(~pl.col("blank"))["at"].to_list(), odd_or_blank.filter("blank")["at"]


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
