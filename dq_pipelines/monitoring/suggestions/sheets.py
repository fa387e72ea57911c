"""Chooses the sheet of a workbook that holds its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from dq_pipelines.errors import SourceError

#: Least columns and rows of a table; a cover sheet has fewer.
_COLUMNS, _ROWS = 2, 2


@dataclass(frozen=True)
class ChosenSheet:
    """The chosen sheet."""

    #: the source, with `sheet` unless it is the first one
    source: Mapping[str, Any]
    #: the reason in one sentence, where there was a choice
    why: str | None = None


def choose_sheet(source: Mapping[str, Any], wanted: str | None) -> ChosenSheet:
    """Returns the wanted sheet (by name or number), or of those that hold a table the one with the most values.

    Raises SourceError where the workbook cannot be read.
    """
    from dq_pipelines.sources.excel import list_sheets

    names = list_sheets(source["path"])
    if wanted is not None:
        place = int(wanted) if wanted.isdecimal() and wanted not in names else None
        return ChosenSheet({**source, "sheet": wanted if place is None else place})
    if len(names) < 2:
        return ChosenSheet(source)
    values = {name: _values({**source, "sheet": name}) for name in names}
    best = max(names, key=lambda name: values[name])  # the first one of equals
    others = ", ".join(f"'{name}'" for name in names if name != best)
    why = f"sheet '{best}' has the most values of {len(names)} sheets; --sheet names another one: {others}"
    return ChosenSheet(source if best == names[0] else {**source, "sheet": best}, why)


def _values(source: Mapping[str, Any]) -> int:
    """Counts the cells with a value in a sheet that holds a table; 0 for any other sheet."""
    from dq_pipelines.sources import read

    try:
        rows = read(source).rows.collect()
    except SourceError:
        return 0  # the error is reported if the sheet is chosen
    named = [name for name in rows.columns if not name.startswith("column_")]
    if rows.height < _ROWS or len(named) < _COLUMNS:
        return 0
    return int(rows.select(pl.sum_horizontal(pl.all().count())).item())
