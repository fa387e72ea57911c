"""Collects the content of the catalog: every table with its owners, freshness, rows and next run, and their lineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from dq_pipelines.config.cron import next_tick
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.attempts import Attempts
from dq_pipelines.pipeline.standalone_checks import lateness
from dq_pipelines.project import LeftOut, Table
from dq_pipelines.web.dashboard.lineage_picture import LineagePicture
from dq_pipelines.web.dashboard.listing import Choices, Listing, owners_of
from dq_pipelines.web.dashboard.request_context import PageContext, RequestContext
from dq_pipelines.web.dashboard.table_graph import MOST, TableGraph
from dq_pipelines.web.dashboard.table_summary import TableSummary


@dataclass(frozen=True)
class NextRun:
    """What starts the next run of a table, and when."""

    #: `schedule`, or a sentence's beginning such as `on arrival`
    by: str
    #: the next tick; None without a schedule
    at: datetime | None = None


@dataclass(frozen=True)
class CatalogRow:
    """One table of the catalog."""

    line: TableSummary
    table: Table | LeftOut | None
    #: rows of the published table; None where they are not counted
    rows: int | None
    #: when its last successful run ended
    fresh_at: datetime | None
    #: when it must be materialized, in words; "" without a promise
    promise: str
    #: in a sentence, what is late; "" where nothing is
    late: str
    next: NextRun | None

    @property
    def key(self) -> str:
        return self.line.standing.table

    @property
    def layer(self) -> str:
        return self.key.partition("/")[0]

    @property
    def owners(self) -> Sequence[str]:
        return owners_of(self.table)

    @property
    def description(self) -> str:
        return (self.table.model.description or "") if isinstance(self.table, Table) else ""


@dataclass(frozen=True)
class CatalogPage(PageContext):
    """The catalog: the tables of one page, and their lineage."""

    listing: Listing
    choices: Choices
    rows: Sequence[CatalogRow]
    #: the number of tables on all pages, and of all tables
    matching: int
    every: int
    picture: LineagePicture | None
    #: whether the picture has only the tables of this page
    is_part: bool
    notes: Sequence[str] = ()


def catalog_page(visit: RequestContext, listing: Listing) -> CatalogPage:
    """The catalog of the visible tables, whether they ever ran or not."""
    known = visit.known_tables
    standings = {each.table: each for each in visit.standings()}
    keys = sorted(known.keys() | standings.keys())
    counts = visit.site.lake.soon(keys)
    every = [visit.summary(standings.get(key, TableStatus(key, ())), counts) for key in keys]
    matching = listing.matching(every, known)
    shown, page = listing.page_of(listing.in_order(matching))
    names = [one.standing.table for one in page]
    if counts.uncounted.intersection(names):
        counts = visit.site.lake.now(names)
        page = [visit.summary(one.standing, counts) if one.standing.verdicts else one for one in page]
    fresh = Attempts(visit.history).last_successes(names)
    rows = [_row(visit, one, known.get(one.standing.table), counts.rows, fresh) for one in page]
    drawn = matching if len(matching) <= MOST else page
    tables = [table for one in drawn if isinstance(table := known.get(one.standing.table), Table)]
    statuses = {one.standing.table: one.status for one in drawn}
    picture = LineagePicture(TableGraph.of(tables), statuses) if tables else None
    return CatalogPage(
        visit, shown, Choices.of(known.values()), rows, len(matching), len(every), picture,
        len(drawn) < len(matching), visit.known.notes,
    )  # fmt: skip


def _row(
    visit: RequestContext,
    line: TableSummary,
    table: Table | LeftOut | None,
    rows: Mapping[str, int],
    fresh: Mapping[str, datetime],
) -> CatalogRow:
    key = line.standing.table
    at = fresh.get(key) or (line.standing.latest.started_at if line.standing.latest is not None else None)
    if not isinstance(table, Table):
        return CatalogRow(line, table, rows.get(key), at, "", "", None)
    wanted = table.model.freshness
    late = lateness(visit.site.stores, table, wanted, visit.at) if wanted is not None else ""
    return CatalogRow(line, table, rows.get(key), at, promise_of(table), late, next_run(table, visit.at))


def promise_of(table: Table) -> str:
    """When the table must be materialized, in words; "" without a promise."""
    wanted = table.model.freshness
    if wanted is None:
        return ""
    by = f"by {wanted.cron} ({wanted.timezone})" if wanted.cron is not None else ""
    within = f"within {wanted.within}" if wanted.within is not None else ""
    return " ".join(filter(None, (within, by)))


def next_run(table: Table, at: datetime) -> NextRun:
    """What starts the next run of a table."""
    model = table.model
    if model.schedule is not None:
        return NextRun("schedule", next_tick(model.schedule, at.astimezone(ZoneInfo(model.timezone))))
    if getattr(model, "on_arrival", False):
        return NextRun("on arrival")
    if getattr(model, "automation", "manual") == "eager":
        return NextRun("after its inputs")
    return NextRun("by hand")
