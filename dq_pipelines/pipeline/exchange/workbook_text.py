"""Texts as cells hold them: every text comes back as it was, whatever characters are in it.

An empty cell is a null. An apostrophe alone is the empty text; a text of apostrophes gets one more, and so does what a
spreadsheet would compute (`formula_guard`). How a sheet's XML writes characters that XML lacks belongs in `workbook_xlsx`.
"""

from __future__ import annotations

import re

from dq_pipelines.pipeline.exchange.formula_guard import guarded, unguarded

#: What Excel takes in a cell: UTF-16 units.
LONGEST = 32_767

#: Two characters that no reader of XML gives back, not even from an escape.
_NONCHARACTERS = re.compile("_(?=x(?:005F|FFFE|FFFF)_)|[\ufffe\uffff]")
_ESCAPED = re.compile("_x(005F|FFFE|FFFF)_")


def cell_of(value: str | None) -> str:
    """A value as the text of a cell of a CSV; the empty one is an empty cell."""
    if value is None:
        return ""
    return f"'{value}" if not value.strip("'") else guarded(value)


def value_of(cell: str) -> str | None:
    """The value that `cell_of` was given."""
    if not cell:
        return None
    return unguarded(cell) if cell.strip("'") else cell[1:]


def sheet_cell_of(value: str | None) -> str:
    """A value as the text of a cell of a sheet, cut where it is too long for one."""
    return _cut(_NONCHARACTERS.sub(_escaped, cell_of(value)))


def sheet_value_of(cell: str) -> str | None:
    """The value that `sheet_cell_of` was given, where it was not cut."""
    return value_of(_ESCAPED.sub(lambda match: chr(int(match[1], 16)), cell) if "_x" in cell else cell)


def fits_a_sheet(value: str | None) -> bool:
    """Whether a cell of a sheet holds the whole value."""
    if value is None or len(value) < LONGEST // 8:  # one character takes seven where it is escaped, and an apostrophe
        return True
    whole = _NONCHARACTERS.sub(_escaped, cell_of(value))
    return _cut(whole) == whole


def _escaped(match: re.Match[str]) -> str:
    return f"_x{ord(match[0]):04X}_"


def _cut(text: str) -> str:
    if len(text) <= LONGEST // 2:
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    return text if len(units) <= 2 * LONGEST else units[: 2 * LONGEST].decode("utf-16-le", "ignore")
