"""The workbook (or CSV) in which a person mends refused rows: what stands in it, and what does when it comes back.

Which cells may be mended and what becomes of them belongs in `corrections_exchange`, the files in `workbook_files`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dq_pipelines.pipeline.exchange.workbook_checksums import Marks, seeds_of
from dq_pipelines.pipeline.exchange.workbook_text import cell_of, sheet_cell_of, sheet_value_of, value_of
from dq_pipelines.pipeline.quarantine.refused_rows import ID, OPEN, STATUS
from dq_pipelines.sources import ROW, SOURCE
from dq_pipelines.sources.workbook import cell_text

#: The column that says why a row was refused, in words.
WHY = "_why"

_BEFORE, _AFTER = (ID, STATUS), (WHY, SOURCE, ROW)


@dataclass(frozen=True)
class Refusal:
    """One refused row as people see it."""

    id: str
    cells: Mapping[str, str | None]
    source: str
    row: int | None
    #: every reason in one line
    why: str
    #: by column, why its value was refused
    reasons: Mapping[str, str]
    #: whether nobody could read the line, so that no cell of it is known
    unreadable: bool = False

    def blames(self, name: str) -> bool:
        """Whether the row was refused for this column, or for all of them."""
        return self.unreadable or name in self.reasons


@dataclass(frozen=True)
class Layout:
    """What a table's workbook looks like."""

    table: str
    columns: Sequence[str]
    #: columns that a person may change
    editable: frozenset[str] = frozenset()
    #: of these, those that tell one row from another: to be changed only where the cell itself is to blame
    keys: frozenset[str] = frozenset()
    #: the values that a column may have
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def head(self) -> list[str]:
        """The names of all columns but the last, `_as_exported`."""
        return [*_BEFORE, *self.columns, *_AFTER]

    def values(self, row: Refusal) -> list[str | None]:
        """What stands in a row, in the order of `head`."""
        place = None if row.row is None else str(row.row)
        return [row.id, OPEN, *(row.cells[name] for name in self.columns), row.why, row.source, place]

    def may_mend(self, name: str, row: Refusal) -> bool:
        """Whether a person may change the cell of a row."""
        return name in self.editable and (name not in self.keys or row.blames(name))


@dataclass(frozen=True)
class Formula:
    """A cell with a formula that no program has calculated."""

    text: str


@dataclass(frozen=True, slots=True)
class Mended:
    """One row of a workbook that came back."""

    #: 1-based row of the sheet, or record of the file, the header being the first
    at: int
    #: None where the cell is empty
    id: str | None
    status: str
    #: by column, the locked ones among them, those that are not what was exported; all where the file does not say what was.
    #: A text, or what a spreadsheet made of it; "" where a cell is empty
    cells: Mapping[str, Any]
    #: what it was when it was exported, where the file says it
    exported: Marks | None = None
    #: in a sentence, why nothing of it can be taken
    fault: str | None = None


@dataclass(frozen=True)
class Book:
    """A workbook or CSV that came back."""

    #: the table that it is of, None where it does not say
    table: str | None
    #: the names of its columns
    head: Sequence[str]
    rows: Sequence[Mended]
    #: whether cells are those of a sheet, which holds no long texts
    is_sheet: bool
    #: what is odd of it as a whole, a sentence each
    notes: tuple[str, ...] = ()

    def value(self, cell: str) -> str | None:
        """The value behind a text that stands in a cell."""
        return sheet_value_of(cell) if self.is_sheet else value_of(cell)

    def marks_of(self, layout: Layout, row: Refusal) -> Marks:
        """What an export would say of a row now, for a file that does not say what it was."""
        write = sheet_cell_of if self.is_sheet else cell_of
        cells = {name: write(value) for name, value in zip(layout.head, layout.values(row), strict=True)}
        return Marks.of(seeds_of(layout.head), cells)


def text_of(cell: Any) -> str:
    """The content of a cell as a text: numbers with all their digits, moments as in ISO 8601."""
    if isinstance(cell, str):
        return cell
    return f"={cell.text}" if isinstance(cell, Formula) else cell_text(cell) or ""
