"""Collects the content of the page of a table's refused rows: their reasons, their cells, and what may be corrected."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from dq_pipelines.config.settings import Settings
from dq_pipelines.engine.results.reasons import REASONS
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.pipeline.exchange.row_corrections import CorrectableColumns
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter
from dq_pipelines.pipeline.quarantine.quarantine_summary import FIRST_PAGE, PageCursor, QuarantineSummary, page
from dq_pipelines.pipeline.quarantine.refused_rows import DISMISSED, ID, OPEN, STATUSES
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project import Table
from dq_pipelines.sources import ROW, SOURCE
from dq_pipelines.web.dashboard.cell_inputs import Cell, cells_of
from dq_pipelines.web.dashboard.input_names import input_name
from dq_pipelines.web.dashboard.request_context import PageContext, RequestContext

#: Rows of one page.
_LIMIT = 25
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Status of a row -> the colour of its badge.
_TONES = {OPEN: "failing", "fixed": "healthy", "replayed": "healthy"}


@dataclass(frozen=True)
class RowFilters:
    """The filters of the page, as its address has them."""

    status: str = OPEN
    rule: str = ""
    column: str = ""

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> RowFilters:
        """The filters of these query parameters; an unknown status shows open rows."""
        status = asked.get("status", OPEN)
        return cls(status if status in (*STATUSES, "all") else OPEN, asked.get("rule", ""), asked.get("column", ""))

    @property
    def chosen(self) -> RefusedRowFilter:
        return RefusedRowFilter(self.rule or None, self.column or None)

    def address(self, **changed: str) -> str:
        """The query of the page's address, with these values changed."""
        values = {"status": self.status, "rule": self.rule, "column": self.column} | changed
        return "?" + urlencode(
            {name: value for name, value in values.items() if value and (name, value) != ("status", OPEN)}
        )

    @property
    def of_workbook(self) -> str:
        """The query of the workbook with the open rows of the filter."""
        return urlencode({name: value for name in ("rule", "column") if (value := getattr(self, name))})


@dataclass(frozen=True)
class ShownReason:
    """Why a row was refused."""

    #: what the rule demands, in words
    title: str
    #: the rule's type, and its columns
    rule: str
    column: str | None
    #: the value that breaks it; None if there is none
    got: str | None


@dataclass(frozen=True)
class RefusedRow:
    """A refused row."""

    row: Mapping[str, Any]
    #: the input and the line in it
    place: str
    reasons: Sequence[ShownReason]
    cells: Sequence[Cell]
    is_gold: bool

    @property
    def id(self) -> str | None:
        return self.row[ID] if self.row[ID] is None else str(self.row[ID])

    @property
    def status(self) -> str:
        return str(self.row["_status"])

    @property
    def tone(self) -> str:
        return _TONES.get(self.status, "never_run")

    @property
    def partition(self) -> str:
        return str(self.row.get(PARTITION) or "")

    @property
    def landed_at(self) -> datetime | None:
        at: datetime | None = self.row["_ingested_at"]
        return at

    @property
    def is_corrected(self) -> bool:
        return any(cell.is_corrected for cell in self.cells)

    @property
    def is_open(self) -> bool:
        """Whether it can be corrected, dismissed and replayed."""
        return self.status == OPEN and self.id is not None and not self.is_gold

    @property
    def is_dismissed(self) -> bool:
        return self.status == DISMISSED and self.id is not None and not self.is_gold


@dataclass(frozen=True)
class QuarantinePage(PageContext):
    """The refused rows of one table."""

    table: Table
    filters: RowFilters
    summary: QuarantineSummary
    rows: Sequence[RefusedRow]
    #: the address of the next page; "" on the last one
    next: str
    #: whether this is not the first page
    is_later: bool
    notes: Sequence[str] = ()

    @property
    def key(self) -> str:
        return self.table.key

    @property
    def statuses(self) -> dict[str, int]:
        """The number of rows by status, of statuses that a filter shows."""
        counts = dict(self.summary.statuses)
        return {name: counts.get(name, 0) for name in STATUSES} | {"all": sum(counts.values())}

    @property
    def rules(self) -> list[str]:
        return sorted(
            {one.rule for one in self.summary.reasons} | ({self.filters.rule} if self.filters.rule else set())
        )

    @property
    def columns(self) -> list[str]:
        named = {one.column for one in self.summary.reasons if one.column}
        return sorted(named | ({self.filters.column} if self.filters.column else set()))

    @property
    def has_open(self) -> bool:
        return any(row.is_open for row in self.rows)

    @property
    def has_dismissed(self) -> bool:
        return any(row.is_dismissed for row in self.rows)


def quarantine_page(visit: RequestContext, table: Table, asked: Mapping[str, str]) -> QuarantinePage:
    """The page of a table's refused rows for these query parameters. Raises PublishError when the lake cannot be read."""
    filters, lake = RowFilters.of(asked), visit.site.stores.lake
    counts = visit.site.lake_now([table.key])
    after = _place(asked.get("after", ""))
    status = None if filters.status == "all" else filters.status
    rows = page(lake, table.key, filters.chosen, status, _LIMIT + 1, after)
    shown = _shown(visit, table, lake, rows[:_LIMIT])
    following = filters.address(after=_text(after.after(rows[:_LIMIT]))) if len(rows) > _LIMIT else ""
    summary = counts.quarantines.get(table.key, QuarantineSummary(table.key))
    notes = (*visit.known.notes, *counts.notes)
    return QuarantinePage(visit, table, filters, summary, shown, following, after != FIRST_PAGE, notes)


def _shown(visit: RequestContext, table: Table, lake: Any, rows: Sequence[Mapping[str, Any]]) -> list[RefusedRow]:
    if not rows:
        return []
    columns = CorrectableColumns.of(TableRun(table, lake), list(rows[0]))
    landing = Settings.from_environment().landing
    return [
        RefusedRow(
            row, _where(row, landing), _reasons(visit, table.key, columns, row), cells_of(columns, row), table.is_gold
        )
        for row in rows
    ]


def _where(row: Mapping[str, Any], landing: str) -> str:
    name = input_name(str(row[SOURCE]), landing) if row[SOURCE] else "unknown input"
    return name if row[ROW] is None else f"{name}:{row[ROW]}"


def _reasons(visit: RequestContext, key: str, columns: CorrectableColumns, row: Mapping[str, Any]) -> list[ShownReason]:
    found = []
    for reason in row[REASONS]:
        rule, column = reason["rule"], reason["column"]
        title = visit.title_of_reason(key, rule, column)
        if rule == "cast" and (wanted := columns.rules.expected.get((rule, column or ""))):
            title += f" {wanted[0]}"
        found.append(ShownReason(title, rule, column, reason["value"]))
    return found


def _text(place: PageCursor) -> str:
    at = None if place.at is None else (place.at - _EPOCH) // timedelta(microseconds=1)
    return json.dumps([at, place.id, place.skip])


def _place(text: str) -> PageCursor:
    """The position of this text; that of the first page for an invalid one."""
    try:
        at, name, skip = json.loads(text)
        moment = None if at is None else _EPOCH + timedelta(microseconds=int(at))
        return PageCursor(moment, None if name is None else str(name), max(int(skip), 1))
    except (ValueError, TypeError, OverflowError):
        return FIRST_PAGE
