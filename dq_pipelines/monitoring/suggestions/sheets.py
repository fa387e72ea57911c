"""Which sheet of a workbook holds its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from dq_pipelines.errors import SourceError

#: A table has so many columns and rows at least; a cover sheet has fewer.
_COLUMNS, _ROWS = 2, 2


@dataclass(frozen=True)
class ChosenSheet:
    """A workbook's sheet, as YAML names it."""

    #: the source with its `sheet`, where that is not the first one
    source: Mapping[str, Any]
    #: one sentence where there was a choice
    why: str | None = None


def choose_sheet(source: Mapping[str, Any], wanted: str | None) -> ChosenSheet:
    """The sheet that is asked for, or the one with the most values of those that hold a table.

    Raises SourceError where the workbook has no sheet that is called so.
    """
    from dq_pipelines.sources.excel import list_sheets

    names = list_sheets(source["path"])
    if wanted is not None:
        place = int(wanted) if wanted.isdecimal() and wanted not in names else None
        return ChosenSheet({**source, "sheet": wanted if place is None else place})
    if len(names) < 2:
        return ChosenSheet(source)
    values = {name: _values({**source, "sheet": name}) for name in names}
    best = max(names, key=lambda name: values[name])  # of equal ones the first
    others = ", ".join(f"'{name}'" for name in names if name != best)
    why = f"sheet '{best}' has the most values of {len(names)} sheets; --sheet names another one: {others}"
    return ChosenSheet(source if best == names[0] else {**source, "sheet": best}, why)


def _values(source: Mapping[str, Any]) -> int:
    """The cells with a value in a sheet that holds a table; 0 in any other."""
    from dq_pipelines.sources import read

    try:
        rows = read(source).rows.collect()
    except SourceError:
        return 0  # said when the sheet is asked for
    named = [name for name in rows.columns if not name.startswith("column_")]
    if rows.height < _ROWS or len(named) < _COLUMNS:
        return 0
    return int(rows.select(pl.sum_horizontal(pl.all().count())).item())
