"""One look at a site: as of when, how far back, and at which of its tables. What is made of it belongs to each page."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from dq_pipelines.history.queries.change_token import change_token
from dq_pipelines.history.queries.table_status import TableStatus, latest_status, latest_statuses
from dq_pipelines.history.queries.trend import TrendPoint
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.orchestration.checks.left_out_tables import status_with_left_out, with_left_out
from dq_pipelines.project import LeftOut, Table
from dq_pipelines.rules.core.clock import now
from dq_pipelines.web.dashboard.site import LoadedProject, Site
from dq_pipelines.web.dashboard.table_summary import TableSummary, TimeRange


@dataclass(frozen=True)
class RequestContext:
    """What is seen of a site at one moment."""

    site: Site
    known: LoadedProject
    #: keys of the tables that are seen; None for all, also those that the project has no more
    tables: Collection[str] | None
    span: TimeRange
    at: datetime
    #: differs from an earlier one where there is something new
    token: str

    @classmethod
    def of(
        cls, site: Site, known: LoadedProject, tables: Collection[str] | None = None, span: TimeRange | None = None
    ) -> RequestContext:
        """A visit that begins now; the token comes first, so that nothing is missed that comes while a page is made."""
        site.settle()
        return cls(site, known, tables, span or TimeRange(), now(), change_token(site.stores.history, tables))

    @property
    def history(self) -> History:
        return self.site.stores.history

    @property
    def since(self) -> datetime | None:
        """Where charts begin; None for the beginning of history."""
        return self.span.since(self.at)

    def sees(self, key: str) -> bool:
        return self.tables is None or key in self.tables

    def table(self, key: str) -> Table | None:
        """The table as the project has it."""
        return self.known.project.by_key(key)

    def left_out(self, key: str) -> LeftOut | None:
        """The published table, where it is left out."""
        return next((one for one in self.known.project.left_out if one.key == key), None)

    def description(self, key: str) -> str:
        table = self.table(key)
        return (table.model.description or "") if table is not None else ""

    def standing(self, key: str) -> TableStatus | None:
        """Where a table stands; None for one that never ran, or is not seen."""
        if not self.sees(key):
            return None
        found = latest_status(self.history, key) if self.history.is_begun else None
        return status_with_left_out(found, self.left_out(key))

    def standings(self) -> list[TableStatus]:
        """The same of every table that is seen, but for those that left the YAML and are not asked for."""
        return [one for one in self._every if not self.is_removed(one.table)]

    def removed(self) -> list[TableStatus]:
        """Where those tables stood that left the YAML."""
        return [one for one in self._every if self.is_removed(one.table)]

    def is_removed(self, key: str) -> bool:
        """Whether the YAML has the table no more, and nobody asks for it by name."""
        there = self.table(key) is not None or self.left_out(key) is not None
        return self.tables is None and self.known.is_loaded and not there

    @cached_property
    def _every(self) -> list[TableStatus]:
        every = latest_statuses(self.history) if self.history.is_begun else []
        return [one for one in with_left_out(every, self.known.project.left_out) if self.sees(one.table)]

    def line(self, stands: TableStatus, spark: Sequence[TrendPoint] = ()) -> TableSummary:
        """A table at a glance."""
        table = self.table(stands.table)
        about = table or self.left_out(stands.table)
        return TableSummary(stands, about.domain if about is not None else "", spark, self.site.failing_since(stands))


@dataclass(frozen=True)
class PageContext:
    """What every page has of the visit that it was made in."""

    visit: RequestContext

    @property
    def at(self) -> datetime:
        return self.visit.at

    @property
    def token(self) -> str:
        return self.visit.token

    @property
    def span(self) -> TimeRange:
        return self.visit.span
