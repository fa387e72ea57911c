"""Guesses where a table starts, and how many lines of it are its header.

Lines are dropped from a table only where they cannot be records of it: above a header, or with fewer fields.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from dq_pipelines.sources.cell_kinds import kind, missing, typed
from dq_pipelines.sources.dialect import SampleRecord

#: A header of more lines than this is none.
MOST_LINES = 5


def first_line(records: Sequence[SampleRecord], width: int) -> int:
    """The line on which the table starts: below titles, comments and notes that do not have its fields."""
    below = [row for row in records if width < 2 or not _is_title(row, width)] or list(records[-1:])
    if not below:
        return 0
    place = next((place for place, row in enumerate(below) if row.fields is None or row.width >= width), None)
    if place is None:
        return below[0].line
    # Between titles and the first line with all fields: a preamble, or a header that lacks a delimiter or a name.
    narrow = [row for row in below[:place] if row.width >= width - 1]
    if narrow and not _names_columns(below[place:], width) and (len(narrow) == 1 or _is_typed(below[place])):
        # A line with numbers or dates is a record that lacks a field, and no header: the names stand above it.
        names = [row for row in narrow if not _is_typed(row)] or narrow
        return names[-1].line
    return _with_sparse_rows(records, below[place], width).line


def _is_title(row: SampleRecord, width: int) -> bool:
    if row.fields is None:
        return False
    filled = sum(1 for cell in row.fields if cell.strip())
    if row.width == width:  # `Report of May,,,`
        return width > 3 and filled <= 1
    return row.width <= max(1, width // 2) or row.fields[0].startswith("#") or (width > 3 and filled <= 1)


def _names_columns(table: Sequence[SampleRecord], width: int) -> bool:
    """Whether the first record is surely a header: other than the numbers and dates below it."""
    wide = [row.fields for row in table if row.fields is not None and row.width == width]
    columns = _typed_columns(wide[1:], width)
    return bool(columns) and header_lines(table, width) > 0


def _is_typed(row: SampleRecord) -> bool:
    return row.fields is not None and any(map(typed, row.fields))


def _with_sparse_rows(records: Sequence[SampleRecord], start: SampleRecord, width: int) -> SampleRecord:
    """`start`, or the first of the rows above it that have all its delimiters, where it is no header: those are records."""
    table = [row for row in records if row.line >= start.line]
    if header_lines(table, width) > 0:
        return start
    return next((row for row in records if row.width == width and row.line < start.line), start)


def header_lines(table: Sequence[SampleRecord], width: int) -> int:
    """How many of the first records are the header: 0 when the first one looks like those below it.

    A column speaks when its body holds typed values (numbers, dates): a first cell of that kind says
    "no header", any other says "header". Without such a column there is a header, as nearly always.
    """
    wide = [row.fields for row in table if row.fields is not None and row.width == width]
    first = next((row.fields for row in table if row.fields is not None), None)
    if first is None or len(wide) < 2:
        return 0 if first is not None and len(first) > 1 and sum(map(typed, first)) * 2 > len(first) else 1
    columns = _typed_columns(wide[1:], width)
    if any(_is_prose(cell) and any(_is_prose(row[place]) for row in wide[1:]) for place, cell in enumerate(wide[0])):
        return 0
    if not columns:
        return 1
    filled = [place for place in columns if place < len(first) and first[place].strip()]
    against = sum(1 for place in filled if typed(first[place]) and _is_alike(first[place], place, wide[1:]))
    if against * 2 > len(filled) and not _are_years(first, wide[1:]):
        return 0
    lines = 1
    while lines < min(MOST_LINES, len(wide) - 1) and _is_header_too(wide[:lines], wide[lines], columns):
        lines += 1
    return lines


def _is_alike(cell: str, place: int, body: Sequence[Sequence[str]]) -> bool:
    """Whether a typed cell is what most typed cells below it are: a date over numbers is a name."""
    below = [kind(row[place]) for row in body if typed(row[place])]
    return below.count(kind(cell)) * 2 >= len(below)


def _is_prose(cell: str) -> bool:
    """Whether a cell has paragraphs: a name may take two lines or three, and values may."""
    return cell.strip().count("\n") > 3


def _typed_columns(body: Sequence[Sequence[str]], width: int) -> list[int]:
    columns = []
    for place in range(width):
        cells = [row[place] for row in body if not missing(row[place])]
        if cells and sum(map(typed, cells)) >= 0.8 * len(cells):
            columns.append(place)
    return columns


def _are_years(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the typed names are years in a row (`2019,2020,2021`), over columns that hold something else."""
    places = [place for place, cell in enumerate(first) if typed(cell)]
    years = [int(first[place]) for place in places if _is_year(first[place])]
    steps = {after - before for before, after in pairwise(years)}
    if len(years) < len(places) or len(years) == len(first) or len(steps) != 1 or steps == {0}:
        return False
    cells = [row[place] for row in body for place in places if place < len(row) and row[place].strip()]
    return sum(map(_is_year, cells)) * 2 < len(cells)


def _is_year(cell: str) -> bool:
    return re.fullmatch(r"(1[89]|20|21)\d\d", cell.strip()) is not None


def _is_header_too(above: Sequence[Sequence[str]], fields: Sequence[str], columns: Sequence[int]) -> bool:
    """Whether a record below the header's first line is no record but names, too: it needs better grounds than that it
    holds no number. It repeats the line above, gives units in brackets, or names what gaps above leave open.
    """
    if len(columns) < 3 or any(typed(fields[place]) or missing(fields[place]) for place in columns):
        return False
    if tuple(fields) == tuple(above[-1]):
        return True
    if all(re.fullmatch(r"\(.+\)|\[.+\]", fields[place].strip()) for place in columns):
        return True
    gaps = [place for place in columns if not above[0][place].strip()]
    return len(gaps) >= 2 and len({fields[place] for place in gaps}) == len(gaps) and all(map(str.strip, fields))


def names_but_the_first(names: Sequence[str], body: Sequence[SampleRecord], width: int, *, quoted: bool) -> bool:
    """Whether the header is one name short because the first column has none: R's `write.table` writes row names so.

    Row names differ from one another. They are words, count from 1, or are `quoted` where other numbers are not. Every
    row has one field more than the header.
    """
    rows = [row.fields for row in body if row.fields is not None]
    if len(names) != width - 1 or not rows or any(len(row) != width for row in rows):
        return False
    first = [row[0] for row in rows]
    is_count = first == [str(number) for number in range(1, len(first) + 1)]
    are_words = all(cell.strip() and not typed(cell) for cell in first)
    return (is_count or are_words or quoted) and len(set(first)) == len(first) and not all(not row[-1] for row in rows)


def joined(lines: Sequence[Sequence[str]]) -> list[str]:
    """One name per column out of a header of several lines: the words from top to bottom."""
    width = max((len(line) for line in lines), default=0)
    cells = ([line[place].strip() for line in lines if place < len(line)] for place in range(width))
    return [" ".join(filter(None, column)) for column in cells]
