"""Chooses the sheet of a workbook that holds its table, and finds the row of its header below titles and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.errors import SourceError
from dq_pipelines.sources.cell_kinds import typed

#: Least columns and rows of a table; a cover sheet has fewer.
_COLUMNS, _ROWS = 2, 2
#: Rows in which a header is looked for.
_FIRST_ROWS = 50
#: A header names this share of the columns at least.
_SHARE = 0.7


@dataclass(frozen=True)
class ChosenSheet:
    """The chosen sheet."""

    #: the source, with `sheet` unless it is the first one, and `header_row` unless it is the first row that is not empty
    source: Mapping[str, Any]
    #: the reason in one sentence, where there was a choice
    why: str | None = None


@dataclass(frozen=True)
class SheetRow:
    """One row of a sheet."""

    #: in the sheet, from 1
    number: int
    #: "" for an empty cell
    cells: tuple[str, ...]

    @property
    def filled(self) -> int:
        return sum(1 for cell in self.cells if cell.strip())


def choose_sheet(source: Mapping[str, Any], wanted: str | None) -> ChosenSheet:
    """Returns the wanted sheet (by name or number), or of those that hold a table the one with the most values.

    Raises SourceError where the workbook cannot be read.
    """
    from dq_pipelines.sources.excel import list_sheets

    names = list_sheets(source["path"])
    if wanted is not None:
        place = int(wanted) if wanted.isdecimal() and wanted not in names else None
        return ChosenSheet(with_header({**source, "sheet": wanted if place is None else place}))
    if len(names) < 2:
        return ChosenSheet(with_header(source))
    values = {name: _values({**source, "sheet": name}) for name in names}
    best = max(names, key=lambda name: values[name])  # the first one of equals
    others = ", ".join(f"'{name}'" for name in names if name != best)
    why = f"sheet '{best}' has the most values of {len(names)} sheets; --sheet names another one: {others}"
    return ChosenSheet(with_header(source if best == names[0] else {**source, "sheet": best}), why)


def with_header(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """The source of a sheet, with the row of its header where that is not the first row that is not empty."""
    try:
        rows = first_rows(source)
    except SourceError:
        return source  # the error is reported when the sheet is read
    header = header_row(rows)
    return source if not rows or header in (None, rows[0].number) else {**source, "header_row": header}


def first_rows(source: Mapping[str, Any], most: int = _FIRST_ROWS) -> list[SheetRow]:
    """Returns the first rows of a sheet that have a value, titles and header among them. Raises SourceError."""
    from dq_pipelines.sources import ROW, read

    landed = read({**source, "header_row": 0}).landed
    names = [name for name in landed.collect_schema() if not name.startswith("_")]
    frame = landed.select(ROW, *(pl.col(exact(name)).cast(pl.String) for name in names)).sort(ROW).head(most).collect()
    return [SheetRow(row[0], tuple(cell or "" for cell in row[1:])) for row in frame.rows()]


def header_row(rows: Sequence[SheetRow]) -> int | None:
    """Returns the number of the row with the names of columns; None where no row looks like one.

    It is the first row of words that fills as many columns as the rows below it do: titles and notes fill fewer.
    """
    widths = sorted(row.filled for row in rows if row.filled >= _COLUMNS)
    if not widths:
        return None
    width = widths[len(widths) * 3 // 4]
    wide = [row for row in rows if row.filled >= max(_COLUMNS, _SHARE * width)]
    words = (row for row in wide if not any(typed(cell) for cell in row.cells if cell.strip()))
    first = next(words, None)
    # Words further down are values of the table, whose header has numbers or is not there.
    return first.number if first is not None and first.number == wide[0].number else None


def _values(source: Mapping[str, Any]) -> int:
    """Counts the cells with a value in a sheet that holds a table; 0 for any other sheet."""
    from dq_pipelines.sources import read

    try:
        rows = read(with_header(source)).rows.collect()
    except SourceError:
        return 0  # the error is reported if the sheet is chosen
    named = [name for name in rows.columns if not name.startswith("column_")]
    if rows.height < _ROWS or len(named) < _COLUMNS:
        return 0
    return int(rows.select(pl.sum_horizontal(pl.all().count())).item())
