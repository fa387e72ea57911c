"""Which cells a person has changed in a file that came back, and what they say now. What becomes of them belongs in `corrections_exchange`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import polars as pl

from dq_pipelines.errors import nearest
from dq_pipelines.pipeline.bronze.landed import bronze
from dq_pipelines.pipeline.exchange.refusal_reasons import Expectations
from dq_pipelines.pipeline.exchange.workbook import WHY, Book, Formula, Layout, Mended, text_of
from dq_pipelines.pipeline.exchange.workbook_checksums import MARKS, checksum, seeds_of
from dq_pipelines.pipeline.exchange.workbook_text import fits_a_sheet
from dq_pipelines.pipeline.quarantine.corrections import Cells, landed_names, landed_value
from dq_pipelines.pipeline.quarantine.refused_rows import ID, cells_in
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.rules.library.sets import ValuesInSet
from dq_pipelines.sources import ROW, SOURCE

#: What a spreadsheet shows where it cannot compute a value.
_ERRORS = frozenset(
    {"#N/A", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA", "#SPILL!", "#CALC!"}
)
#: From here on a spreadsheet keeps a number's first 15 digits alone.
_MOST = 10**15
#: Columns that say what a row is, and no more.
_TOLD = {
    ID: "which row this is",
    WHY: "why the row was refused",
    SOURCE: "where the row came from",
    ROW: "where the row came from",
}


def layout_of(work: TableRun, columns: list[str]) -> Layout:
    """What the workbook of a table with these quarantine columns looks like."""
    if work.table.is_gold:
        return Layout(work.table.key, cells_in(columns))
    silver = work.table.landed.silver
    editable = landed_names(silver, bronze(work.table, work.lake).scan().collect_schema())
    sets = [rule for rule in silver.rules if isinstance(rule, ValuesInSet) and not rule.row_condition]
    choices = {rule.column: [str(value) for value in rule.value_set if value is not None] for rule in sets}
    return Layout(work.table.key, cells_in(columns), frozenset(editable), frozenset(silver.keys), choices)


@dataclass
class Changes:
    """What a file changes in the rows of a table."""

    work: TableRun
    book: Book
    layout: Layout
    wanted: Expectations
    landed: Mapping[str, pl.DataType] = field(init=False)
    #: the landed column behind each column that may be mended
    names: Mapping[str, str] = field(init=False)
    seeds: Mapping[str, int] = field(init=False)
    _columns: frozenset[str] = field(init=False)
    #: texts that a typed column took already
    _fits: set[tuple[str, str]] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.landed = bronze(self.work.table, self.work.lake).scan().collect_schema()
        self.names = landed_names(self.work.table.landed.silver, self.landed)
        self.seeds = seeds_of(self.book.head)
        self._columns = frozenset(self.layout.columns)

    def of(self, line: Mended, now: Mapping[str, Any]) -> Cells:
        """The changed cells of a row by their landed columns; raises ValueError, with one sentence, for a row that cannot be taken."""
        touched = line.cells
        if line.exported is None:
            known = self.book.marks_of(self.layout, self.wanted.refusal_of(now)).checksums
            touched = {
                name: cell
                for name, cell in line.cells.items()
                if checksum(text_of(cell), self.seeds[name]) not in known
            }
        return dict(self._changed(touched, now))

    def _changed(self, touched: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
        columns = self.work.table.landed.silver.columns
        for name, content in touched.items():
            if name in _TOLD:
                raise ValueError(f"{name} is locked: it says {_TOLD[name]}")
            if name not in self._columns:  # _status, or a column that somebody has added
                continue
            value = self._value(name, content, columns[name].format if name in columns else None)
            if value == now[name]:
                continue
            if name not in self.names:
                raise ValueError(f"column '{name}' is made by a step and cannot be mended: mend what it is made of")
            if name in self.layout.keys and not self.layout.may_mend(name, self.wanted.refusal_of(now)):
                raise ValueError(f"{name} is locked: it is a key, and no rule has refused the row for it")
            if self.book.is_sheet and not fits_a_sheet(now[name]):
                raise ValueError(f"{name} is locked: a sheet holds a part of its text; mend it in a .csv")
            self._must_fit(name, value)
            yield self.names[name], value

    def _value(self, name: str, content: Any, pattern: str | None) -> str | None:
        """What a cell says, as text that could have landed: dates in the column's own pattern."""
        match content:
            case Formula():
                raise ValueError(f"{name} is a formula that no program has calculated: write its value")
            case str() if content in _ERRORS:
                raise ValueError(f"{name} is the error {content}: write a value, or leave the cell empty")
            case float() | int() if not isinstance(content, bool) and abs(content) >= _MOST:
                kept = "is a number of which a spreadsheet keeps 15 digits"
                raise ValueError(f"{name} {kept}, {content:.15g}: write it as a text, with an apostrophe before it")
            case datetime() | date() | time():
                return _moment(content, pattern)
            case str():
                value = self.book.value(content)
                return value if value is None or pattern is None else _in_pattern(value, pattern)
        return text_of(content)

    def _must_fit(self, name: str, text: str | None) -> None:
        """A typed source has no place for another type: such a text would land as nothing."""
        dtype = self.landed[self.names[name]]
        if text is None or dtype == pl.String or (name, text) in self._fits:
            return
        frame = pl.DataFrame({"text": [text]})
        if frame.select(landed_value(pl.col("text"), dtype)).item() is None:
            raise ValueError(f"{name}: '{text}' is no {dtype}")
        self._fits.add((name, text))


def columns_told(book: Book, layout: Layout) -> list[str]:
    """What is odd about the columns of a file, a sentence each; raises ValueError where one seems to have another name now."""
    beside = {*layout.head, MARKS}
    more = [name for name in book.head if name not in beside]
    gone = [name for name in layout.columns if name not in book.head]
    if more and gone:
        raise ValueError(
            f"row 1: column '{more[0]}' is none of the table's{nearest(more[0], gone)}, and column '{gone[0]}' is missing: "
            "give it its name again"
        )
    added = [
        f"row 1: column '{name}' is none of the table's{nearest(name, layout.columns)}, and is passed over"
        for name in more
    ]
    return [*added, *(f"row 1: column '{name}' is missing; its cells stay as they are" for name in gone)]


def _moment(value: datetime | date | time, pattern: str | None) -> str:
    """As the column's pattern writes it, where that says all of it; else as in ISO 8601."""
    if pattern is not None:
        text = value.strftime(pattern)
        with suppress(ValueError):
            read = datetime.strptime(text, pattern)  # noqa: DTZ007 - only asked whether it is the same
            if value in (read, read.time()) or (value == read.date() and read.time() == time()):
                return text
    if isinstance(value, datetime) and value.time() == time() and value.tzinfo is None:
        return value.date().isoformat()
    return value.isoformat()


def _in_pattern(text: str, pattern: str) -> str:
    """A date that a person wrote as ISO has it, in the pattern in which it would have landed."""
    with suppress(ValueError):
        datetime.strptime(text, pattern)  # noqa: DTZ007 - only asked whether it is one
        return text
    with suppress(ValueError):
        return _moment(datetime.fromisoformat(text), pattern)
    return text
