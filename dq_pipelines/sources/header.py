"""Column names: how many lines of a table are its header, and names that are valid and unique.

Where the table starts belongs in `dialect.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dq_pipelines.sources.dialect import Row, missing, typed

#: A header of more lines than this is none.
MOST_LINES = 5
#: Columns that the lake adds to every row.
RESERVED = frozenset(
    {"_source", "_row", "_batch", "_ingested_at", "_unreadable", "_reasons", "_id", "_status", "_text", "_why"}
)


def header_lines(table: Sequence[Row], width: int) -> int:
    """How many of the first records are the header: 0 when the first one looks like those below it.

    A column speaks when its body holds typed values (numbers, dates): a first cell of that kind says
    "no header", any other says "header". Without such a column there is a header, as nearly always.
    """
    wide = [row.fields for row in table if row.fields is not None and row.width == width]
    first = next((row.fields for row in table if row.fields is not None), None)
    if first is None or len(wide) < 2:
        return 0 if first is not None and len(first) > 1 and sum(map(typed, first)) * 2 > len(first) else 1
    columns = _typed_columns(wide[1:], width)
    if not columns:
        return 1
    against = sum(1 for place in columns if place < len(first) and typed(first[place]))
    if against * 2 > len(columns):
        return 0
    lines = 1
    while lines < min(MOST_LINES, len(wide) - 1) and _is_header_too(wide[lines], columns):
        lines += 1
    return lines


def _typed_columns(body: Sequence[Sequence[str]], width: int) -> list[int]:
    columns = []
    for place in range(width):
        cells = [row[place] for row in body if not missing(row[place])]
        if cells and sum(map(typed, cells)) >= 0.8 * len(cells):
            columns.append(place)
    return columns


def _is_header_too(fields: Sequence[str], columns: Sequence[int]) -> bool:
    """Three typed columns or more, and in none of them a value or a mark for a missing one."""
    return len(columns) >= 3 and not any(typed(fields[place]) or missing(fields[place]) for place in columns)


def joined(lines: Sequence[Sequence[str]]) -> list[str]:
    """One name per column out of a header of several lines: the words from top to bottom."""
    width = max((len(line) for line in lines), default=0)
    cells = ([line[place].strip() for line in lines if place < len(line)] for place in range(width))
    return [" ".join(filter(None, column)) for column in cells]


def names(wanted: Sequence[str]) -> list[str]:
    """Valid, unique names: blanks and control characters become one space, an empty name `column_<n>`.

    A name that was there before, in whatever case (Delta does not tell `Id` from `id`), or that the lake
    keeps for itself (`_row`), gets `_2`, `_3` and so on.
    """
    made: list[str] = []
    taken = set(RESERVED)
    for place, raw in enumerate(wanted, start=1):
        base = re.sub(r"[\s\x00-\x1f\x7f]+", " ", raw.removeprefix("\ufeff")).strip() or f"column_{place}"
        name, number = base, 2
        while name.lower() in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name.lower())
        made.append(name)
    return made
