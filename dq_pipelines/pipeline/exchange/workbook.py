"""The content of the workbook or CSV in which a person corrects refused rows, as exported and as returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dq_pipelines.pipeline.exchange.workbook_checksums import RowChecksums, column_seeds
from dq_pipelines.pipeline.exchange.workbook_text import cell_of, sheet_cell_of, sheet_value_of, value_of
from dq_pipelines.pipeline.quarantine.refused_rows import ID, OPEN, STATUS
from dq_pipelines.sources import ROW, SOURCE
from dq_pipelines.sources.workbook import cell_text

#: The column with the reasons for which a row was refused.
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
    #: whether the line is unreadable, so that none of its cells is known
    unreadable: bool = False

    def blames(self, name: str) -> bool:
        """Whether the row was refused for this column, or for all of them."""
        return self.unreadable or name in self.reasons


@dataclass(frozen=True)
class Layout:
    """The columns of a table's workbook, and which of them a person may change."""

    table: str
    columns: Sequence[str]
    #: columns that a person may change
    editable: frozenset[str] = frozenset()
    #: key columns among them: a person may change one only where its own cell was refused
    keys: frozenset[str] = frozenset()
    #: the values that a column may have
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def head(self) -> list[str]:
        """The names of all columns but the last, `_as_exported`."""
        return [*_BEFORE, *self.columns, *_AFTER]

    def values(self, row: Refusal) -> list[str | None]:
        """The cells of a row, in the order of `head`."""
        place = None if row.row is None else str(row.row)
        return [row.id, OPEN, *(row.cells[name] for name in self.columns), row.why, row.source, place]

    def may_correct(self, name: str, row: Refusal) -> bool:
        """Whether a person may change the cell of a row."""
        return name in self.editable and (name not in self.keys or row.blames(name))


@dataclass(frozen=True)
class Formula:
    """A cell with a formula that no program has calculated."""

    text: str


@dataclass(frozen=True, slots=True)
class ReturnedRow:
    """One row of a returned workbook or CSV."""

    #: 1-based row of the sheet, or record of the file, the header being the first
    at: int
    #: None where the cell is empty
    id: str | None
    status: str
    #: cells by column that differ from the export, locked ones included; all cells where the row has no checksums.
    #: A text, or the value that a spreadsheet made of it; "" for an empty cell
    cells: Mapping[str, Any]
    #: checksums of the row as exported; None where the file has none
    exported: RowChecksums | None = None
    #: one sentence: why the row cannot be imported
    fault: str | None = None


@dataclass(frozen=True)
class Book:
    """A returned workbook or CSV."""

    #: its table; None where it does not say
    table: str | None
    #: the names of its columns
    head: Sequence[str]
    rows: Sequence[ReturnedRow]
    #: whether it is a sheet, which truncates long texts
    is_sheet: bool
    #: one sentence for each finding on the whole file
    notes: tuple[str, ...] = ()

    def value(self, cell: str) -> str | None:
        """The value that a cell's text stands for."""
        return sheet_value_of(cell) if self.is_sheet else value_of(cell)

    def checksums_of(self, layout: Layout, row: Refusal) -> RowChecksums:
        """The checksums that an export would give a row now, for a file without checksums."""
        write = sheet_cell_of if self.is_sheet else cell_of
        cells = {name: write(value) for name, value in zip(layout.head, layout.values(row), strict=True)}
        return RowChecksums.of(column_seeds(layout.head), cells)


def text_of(cell: Any) -> str:
    """The content of a cell as text: numbers with all their digits, moments in ISO 8601."""
    if isinstance(cell, str):
        return cell
    return f"={cell.text}" if isinstance(cell, Formula) else cell_text(cell) or ""
