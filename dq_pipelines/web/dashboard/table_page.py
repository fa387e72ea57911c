"""Collects the content of a table's page: its summary, and one of its tabs. Each tab has an address of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.pipeline.quarantine.quarantine_summary import QuarantineSummary
from dq_pipelines.project import Table
from dq_pipelines.web.dashboard.catalog_page import NextRun, next_run
from dq_pipelines.web.dashboard.lake_counts import LakeCounts
from dq_pipelines.web.dashboard.listing import owners_of
from dq_pipelines.web.dashboard.request_context import PageContext, RequestContext
from dq_pipelines.web.dashboard.table_summary import TableSummary

#: The tabs, by their name in the address, in order.
TABS: Mapping[str, str] = {
    "status": "Status",
    "rules": "Rules",
    "data": "Data",
    "lineage": "Lineage",
    "batches": "Batches",
    "quarantine": "Quarantine",
    "metrics": "Metrics",
    "yaml": "YAML",
    "history": "Changes",
}
#: Tabs that show the table's file, and so only where the project has one.
OF_FILES = ("yaml", "history")


@dataclass(frozen=True)
class TablePage(PageContext):
    """One table: its summary, and the content of one tab."""

    line: TableSummary
    #: None for a table that is no longer in the project
    table: Table | None
    quarantine: QuarantineSummary
    tab: str
    #: the tabs that the table has
    tabs: Mapping[str, str]
    next: NextRun | None
    description: str = ""
    notes: Sequence[str] = ()
    #: what the tab shows; see table_tabs.py
    content: Any = None

    @property
    def key(self) -> str:
        return self.line.standing.table

    @property
    def owners(self) -> Sequence[str]:
        return owners_of(self.table)

    def with_content(self, content: Any) -> TablePage:
        return replace(self, content=content)


@dataclass(frozen=True)
class TableVisit:
    """What the tabs of one request are made from."""

    visit: RequestContext
    page: TablePage
    lake: LakeCounts
    #: the parameters of the page's address
    asked: Mapping[str, str]

    @property
    def key(self) -> str:
        return self.page.key


def table_visit(visit: RequestContext, key: str, asked: Mapping[str, str]) -> TableVisit | None:
    """A table's page without the content of its tab.

    None if the table is neither in the project nor ever ran, or the caller may not view it. For an unknown tab, the first
    one is shown; an address that names a column is that of the metrics.
    """
    table, stands = visit.table(key), visit.standing(key)
    if stands is None:
        if table is None or not visit.sees(key):
            return None
        stands = TableStatus(key, ())
    lake = visit.site.lake_now([key])
    tabs = {name: label for name, label in TABS.items() if table is not None or name not in OF_FILES}
    tab = asked.get("tab") or ("metrics" if "column" in asked else "status")
    page = TablePage(
        visit,
        visit.line(stands, lake),
        table,
        lake.quarantines.get(key, QuarantineSummary(key)),
        tab if tab in tabs else "status",
        tabs,
        next_run(table, visit.at) if table is not None else None,
        visit.description(key),
        (*visit.known.notes, *lake.notes),
    )
    return TableVisit(visit, page, lake, asked)
