"""Encodes texts as cells and decodes them: every text survives the round trip, whatever its characters.

An empty cell is a null. A single apostrophe is the empty text. A text of apostrophes gets one more, and so does a text that a
spreadsheet would compute (`formula_guard`).
"""

from __future__ import annotations

import re

from dq_pipelines.pipeline.exchange.formula_guard import guarded, unguarded

#: The longest text that Excel accepts in a cell, in UTF-16 units.
LONGEST = 32_767

#: Two characters that no XML reader returns, not even from an escape.
_NONCHARACTERS = re.compile("_(?=x(?:005F|FFFE|FFFF)_)|[\ufffe\uffff]")
_ESCAPED = re.compile("_x(005F|FFFE|FFFF)_")


def cell_of(value: str | None) -> str:
    """A value as the text of a CSV cell; null is an empty cell."""
    if value is None:
        return ""
    return f"'{value}" if not value.strip("'") else guarded(value)


def value_of(cell: str) -> str | None:
    """The inverse of `cell_of`."""
    if not cell:
        return None
    return unguarded(cell) if cell.strip("'") else cell[1:]


def sheet_cell_of(value: str | None) -> str:
    """A value as the text of a sheet's cell, cut where it is too long."""
    return _cut(_NONCHARACTERS.sub(_escaped, cell_of(value)))


def sheet_value_of(cell: str) -> str | None:
    """The inverse of `sheet_cell_of`, for a value that was not cut."""
    return value_of(_ESCAPED.sub(lambda match: chr(int(match[1], 16)), cell) if "_x" in cell else cell)


def fits_a_sheet(value: str | None) -> bool:
    """Whether a sheet's cell can hold the whole value."""
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
