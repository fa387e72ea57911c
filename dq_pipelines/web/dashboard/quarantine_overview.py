"""Collects the content of the page of quarantine: how many refused rows each table has, for what reason and how old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dq_pipelines.errors import nearest
from dq_pipelines.pipeline.quarantine.quarantine_summary import QuarantineSummary, Reason
from dq_pipelines.web.dashboard.request_context import PageContext, RequestContext


@dataclass(frozen=True)
class TableQuarantine:
    """The refused rows of one table."""

    summary: QuarantineSummary
    domain: str

    @property
    def table(self) -> str:
        return self.summary.table

    @property
    def statuses(self) -> dict[str, int]:
        return dict(self.summary.statuses)

    @property
    def oldest(self) -> datetime | None:
        """When the oldest open row landed."""
        return min((one.since for one in self.summary.reasons if one.since is not None), default=None)


@dataclass(frozen=True)
class QuarantineOverview(PageContext):
    """The page of quarantine."""

    #: the table or domain that is filtered by; "" for all
    filter: str
    #: tables with refused rows, most open rows first
    tables: Sequence[TableQuarantine]
    notes: Sequence[str] = ()

    @property
    def open(self) -> int:
        return sum(one.summary.open for one in self.tables)

    @property
    def reasons(self) -> list[tuple[str, str, str | None, list[Reason]]]:
        """Table, rule, column and their reasons by day; most rows first."""
        every = [row for one in self.tables for row in one.summary.by_reason]
        return sorted(every, key=lambda row: -sum(reason.rows for reason in row[3]))


def quarantine_overview(visit: RequestContext, wanted: str) -> QuarantineOverview:
    """The page of quarantine, of the tables whose key contains `wanted` or that are of this domain."""
    domains = {table.key: table.domain for table in visit.known.project if visit.sees(table.key)}
    keys = [key for key in domains if wanted in key or domains[key] == wanted]
    notes = [*visit.known.notes]
    if wanted and not keys:
        near = nearest(wanted, [*domains, *domains.values()])
        notes.append(f"There is no table or domain {wanted}{near}: these are all tables.")
        keys, wanted = [*domains], ""
    lake = visit.site.lake_now(keys)
    found = [TableQuarantine(lake.quarantines[key], domains[key]) for key in keys if lake.quarantines[key].statuses]
    found.sort(key=lambda one: (-one.summary.open, one.table))
    return QuarantineOverview(visit, wanted, found, (*notes, *lake.notes))
