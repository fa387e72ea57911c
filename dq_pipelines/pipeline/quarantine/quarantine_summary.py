"""Summarizes refused rows: counts by status and reason, age of the oldest, samples and pages of rows. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.results.reasons import REASONS
from dq_pipelines.history.queries.rule_status import OpenRows
from dq_pipelines.lake.tables import PARTITION, Lake
from dq_pipelines.pipeline.bronze.landed import INGESTED_AT
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter, refused
from dq_pipelines.pipeline.quarantine.refused_rows import ID, OPEN, STATUS
from dq_pipelines.sources import ROW, SOURCE


@dataclass(frozen=True)
class Reason:
    """Open rows of one table that were refused for the same reason and landed on the same day."""

    rule: str
    column: str | None
    #: when the oldest of them landed; None where a step drops it
    since: datetime | None
    rows: int
    #: None in a table without partitions
    partition: str | None = None


@dataclass(frozen=True)
class QuarantineSummary:
    """The refused rows of one table, counted."""

    #: `silver/<name>` or `gold/<name>`
    table: str
    #: rows by status
    statuses: tuple[tuple[str, int], ...] = ()
    #: of open rows; a row counts for each of its reasons
    reasons: tuple[Reason, ...] = ()
    #: False where there is no quarantine or the lake cannot be read
    is_known: bool = True

    @property
    def open(self) -> int:
        return dict(self.statuses).get(OPEN, 0)

    @property
    def open_rows(self) -> tuple[OpenRows, ...] | None:
        """The open rows that a table's status counts; None where they are not known."""
        if not self.is_known:
            return None
        groups: dict[tuple[str, str | None, str | None], list[Reason]] = {}
        for reason in self.reasons:
            groups.setdefault((reason.rule, reason.column, reason.partition), []).append(reason)
        return tuple(
            OpenRows(
                *key, sum(each.rows for each in group), min((each.since for each in group if each.since), default=None)
            )
            for key, group in groups.items()
        )

    @property
    def by_reason(self) -> list[tuple[str, str, str | None, list[Reason]]]:
        """Table, rule, column and their reasons by day; most rows first."""
        groups: dict[tuple[str, str | None], list[Reason]] = {}
        for reason in self.reasons:
            groups.setdefault((reason.rule, reason.column), []).append(reason)
        rows = [(self.table, rule, column, group) for (rule, column), group in groups.items()]
        return sorted(rows, key=lambda row: -sum(reason.rows for reason in row[3]))


def summarize_quarantine(lake: Lake, table: str) -> QuarantineSummary:
    """Count the refused rows of a published table; raises PublishError when the lake cannot be read."""
    rows = refused(lake, table)
    if rows is None:  # nothing was refused so far, or quarantine is lost: only the verdicts know
        return QuarantineSummary(table, is_known=False)
    part = pl.col(PARTITION) if PARTITION in rows.collect_schema() else pl.lit(None, pl.String)
    # Two rules that differ only in their arguments give a row the same reason twice.
    once = pl.col(REASONS).list.unique()
    open_rows = rows.filter(pl.col(STATUS) == OPEN).select(INGESTED_AT, part.alias("partition"), once)
    why = open_rows.explode(REASONS).unnest(REASONS)
    by = ["rule", "column", "partition", pl.col(INGESTED_AT).dt.truncate("1d").alias("day")]
    statuses, reasons = collect_all(
        [
            rows.group_by(STATUS).len().sort(STATUS),
            why.group_by(by).agg(pl.col(INGESTED_AT).min().alias("since"), pl.len().alias("rows")).drop("day"),
        ]
    )
    ordered = sorted(
        (Reason(**row) for row in reasons.to_dicts()), key=lambda one: (-one.rows, one.rule, one.column or "")
    )
    return QuarantineSummary(table, tuple(statuses.rows()), tuple(ordered))


def sample_rows(lake: Lake, table: str, chosen: RefusedRowFilter, limit: int) -> list[dict[str, Any]]:
    """Up to `limit` selected refused rows with all columns, latest landing first; empty where nothing was refused."""
    rows = refused(lake, table)
    if rows is None:
        return []
    order = [INGESTED_AT, SOURCE, ROW, ID]
    wanted = chosen.rows(rows).sort(order, descending=[True, False, False, False], nulls_last=True).head(limit)
    return collect_all([wanted])[0].to_dicts()


@dataclass(frozen=True)
class PageCursor:
    """Position in a list of refused rows: landing time, row id, and the number of equal rows to skip."""

    #: landing time; None for rows whose landing time a step drops
    at: datetime | None
    id: str | None
    skip: int = 1

    def is_of(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is at this position."""
        return bool(row[INGESTED_AT] == self.at and row[ID] == self.id)

    def after(self, rows: Sequence[Mapping[str, Any]]) -> PageCursor:
        """The position after these rows, which follow this position."""
        last = rows[-1]
        equal = sum(row[INGESTED_AT] == last[INGESTED_AT] and row[ID] == last[ID] for row in rows)
        return PageCursor(last[INGESTED_AT], last[ID], equal + (self.skip if self.is_of(last) else 0))

    def onwards(self) -> pl.Expr:
        """Whether a row is at this position or after it."""
        at, by = pl.col(INGESTED_AT), pl.col(ID)
        later = by.is_null() if self.id is None else by.is_null() | (by >= self.id)
        if self.at is None:
            return at.is_null() & later
        return at.is_null() | (at < self.at) | ((at == self.at) & later)


#: The position before the first row.
FIRST_PAGE = PageCursor(None, None, 0)


def page(
    lake: Lake, table: str, chosen: RefusedRowFilter, status: str | None, limit: int, after: PageCursor = FIRST_PAGE
) -> list[dict[str, Any]]:
    """A page of refused rows after a position, latest landing first, then by id. Raises PublishError when the lake cannot be read."""
    rows = refused(lake, table)
    if rows is None:
        return []
    if status is not None:
        rows = rows.filter(pl.col(STATUS) == status)
    if after != FIRST_PAGE:
        rows = rows.filter(after.onwards())
    wanted = chosen.rows(rows).sort(INGESTED_AT, ID, descending=[True, False], nulls_last=True)
    return collect_all([wanted.slice(after.skip, limit)])[0].to_dicts()
