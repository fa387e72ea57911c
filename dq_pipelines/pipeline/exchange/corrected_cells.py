"""Finds the cells that a person changed in a returned file, and reads and validates their new values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import polars as pl

from dq_pipelines.errors import nearest
from dq_pipelines.pipeline.bronze.landed import bronze
from dq_pipelines.pipeline.exchange.refusal_reasons import RuleDescriptions
from dq_pipelines.pipeline.exchange.workbook import WHY, Book, Formula, Layout, Refusal, ReturnedRow, text_of
from dq_pipelines.pipeline.exchange.workbook_checksums import CHECKSUM_COLUMN, checksum, column_seeds
from dq_pipelines.pipeline.exchange.workbook_text import fits_a_sheet
from dq_pipelines.pipeline.quarantine.corrections import Cells, landed_names, landed_value
from dq_pipelines.pipeline.quarantine.refused_rows import ID, cells_in
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.rules.library.sets import ValuesInSet
from dq_pipelines.sources import ROW, SHEET, SOURCE

#: Error values that a spreadsheet shows in place of a result.
_ERRORS = frozenset(
    {"#N/A", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA", "#SPILL!", "#CALC!"}
)
#: From here on a spreadsheet keeps only the first 15 digits of a number.
_FIRST_INEXACT = 10**15
#: Locked columns that identify a row, with what each says.
_LOCKED_COLUMNS = {
    ID: "which row this is",
    WHY: "why the row was refused",
    SOURCE: "where the row came from",
    ROW: "where the row came from",
}


def layout_of(work: TableRun, columns: list[str]) -> Layout:
    """The layout of the workbook for a table with these quarantine columns."""
    if work.table.is_gold:
        return Layout(work.table.key, cells_in(columns))
    silver = work.table.landed.silver
    editable = landed_names(silver, bronze(work.table, work.lake).scan().collect_schema())
    sets = [rule for rule in silver.rules if isinstance(rule, ValuesInSet) and not rule.row_condition]
    choices = {rule.column: [str(value) for value in rule.value_set if value is not None] for rule in sets}
    return Layout(work.table.key, cells_in(columns), frozenset(editable), frozenset(silver.keys), choices)


@dataclass
class Changes:
    """The changes of a returned file to the rows of a table."""

    work: TableRun
    book: Book
    layout: Layout
    rules: RuleDescriptions
    landed: Mapping[str, pl.DataType] = field(init=False)
    #: the landed column behind each column that a person may correct
    names: Mapping[str, str] = field(init=False)
    seeds: Mapping[str, int] = field(init=False)
    _columns: frozenset[str] = field(init=False)
    #: (column, text) pairs that are known to fit the column's type
    _fits: set[tuple[str, str]] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.landed = bronze(self.work.table, self.work.lake).scan().collect_schema()
        self.names = landed_names(self.work.table.landed.silver, self.landed)
        self.seeds = column_seeds(self.book.head)
        self._columns = frozenset(self.layout.columns)

    def of(self, line: ReturnedRow, now: Mapping[str, Any]) -> Cells:
        """The changed cells of a row by landed column; raises ValueError, with one sentence, for a row that cannot be imported."""
        touched = line.cells
        if line.exported is None:
            unchanged = self.book.checksums_of(self.layout, self.rules.refusal_of(now)).checksums
            touched = {
                name: cell
                for name, cell in line.cells.items()
                if checksum(text_of(cell), self.seeds[name]) not in unchanged
            }
        return dict(self._changed(touched, now))

    def _changed(self, touched: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
        columns = self.work.table.landed.silver.columns
        for name, content in touched.items():
            if name in _LOCKED_COLUMNS:
                raise ValueError(f"{name} is locked: it says {_LOCKED_COLUMNS[name]}")
            if name not in self._columns:  # _status, or a column that a person added
                continue
            value = self._value(name, content, columns[name].format if name in columns else None)
            if value == now[name]:
                continue
            if (why := why_locked(self.layout, self.names, name, self.rules.refusal_of(now))) is not None:
                raise ValueError(why)
            if self.book.is_sheet and not fits_a_sheet(now[name]):
                raise ValueError(f"{name} is locked: a sheet holds a part of its text; mend it in a .csv")
            self._must_fit(name, value)
            yield self.names[name], value

    def _value(self, name: str, content: Any, pattern: str | None) -> str | None:
        """The content of a cell as text that could have landed: dates in the column's pattern."""
        match content:
            case Formula():
                raise ValueError(f"{name} is a formula that no program has calculated: write its value")
            case str() if content in _ERRORS:
                raise ValueError(f"{name} is the error {content}: write a value, or leave the cell empty")
            case float() | int() if not isinstance(content, bool) and abs(content) >= _FIRST_INEXACT:
                kept = "is a number of which a spreadsheet keeps 15 digits"
                raise ValueError(f"{name} {kept}, {content:.15g}: write it as a text, with an apostrophe before it")
            case datetime() | date() | time():
                return _moment(content, pattern)
            case str():
                value = self.book.value(content)
                return value if value is None or pattern is None else in_pattern(value, pattern)
        return text_of(content)

    def _must_fit(self, name: str, text: str | None) -> None:
        """Raise ValueError for a text that does not fit the type of its landed column: it would become null."""
        dtype = self.landed[self.names[name]]
        if text is None or dtype == pl.String or (name, text) in self._fits:
            return
        frame = pl.DataFrame({"text": [text]})
        if frame.select(landed_value(pl.col("text"), dtype)).item() is None:
            raise ValueError(f"{name}: '{text}' is no {dtype}")
        self._fits.add((name, text))


def column_notes(book: Book, layout: Layout) -> list[str]:
    """One sentence for each added or missing column of a file; raises ValueError where a column seems to be renamed."""
    expected = {*layout.head, CHECKSUM_COLUMN}
    unknown = [name for name in book.head if name not in expected]
    missing = [name for name in layout.columns if name not in book.head]
    if unknown and missing:
        raise ValueError(
            f"row 1: column '{unknown[0]}' is none of the table's{nearest(unknown[0], missing)}, and column '{missing[0]}' is "
            "missing: give it its name again"
        )
    added = [
        f"row 1: column '{name}' is none of the table's{nearest(name, layout.columns)}, and is ignored"
        for name in unknown
    ]
    return [*added, *(f"row 1: column '{name}' is missing; its cells stay as they are" for name in missing)]


def why_locked(layout: Layout, names: Mapping[str, str], name: str, refusal: Refusal) -> str | None:
    """Why a person may not change a column's cell of a row; None where they may. `names` are the landed columns."""
    if name not in names:
        return f"column '{name}' is made by a step and cannot be corrected: correct the columns that it is made of"
    if name == SHEET:
        return f"{name} tells from which sheet the row came and cannot be corrected"
    if name in layout.keys and not layout.may_correct(name, refusal):
        return f"{name} is locked: it is a key, and no rule has refused the row for it"
    return None


def _moment(value: datetime | date | time, pattern: str | None) -> str:
    """A moment in the column's pattern where that loses nothing; otherwise in ISO 8601."""
    if pattern is not None:
        text = value.strftime(pattern)
        with suppress(ValueError):
            read = datetime.strptime(text, pattern)  # noqa: DTZ007 - only asked whether it is the same
            if value in (read, read.time()) or (value == read.date() and read.time() == time()):
                return text
    if isinstance(value, datetime) and value.time() == time() and value.tzinfo is None:
        return value.date().isoformat()
    return value.isoformat()


def in_pattern(text: str, pattern: str) -> str:
    """A date that a person wrote in ISO 8601, in the pattern in which it would have landed."""
    with suppress(ValueError):
        datetime.strptime(text, pattern)  # noqa: DTZ007 - only asked whether it is one
        return text
    with suppress(ValueError):
        return _moment(datetime.fromisoformat(text), pattern)
    return text
