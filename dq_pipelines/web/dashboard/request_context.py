"""The context of one page request: its time, its time range, and the tables that the caller may view."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from dq_pipelines.history.queries.table_status import TableStatus, latest_status
from dq_pipelines.history.queries.trend import TrendPoint
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.orchestration.checks.left_out_tables import status_with_left_out, with_left_out
from dq_pipelines.project import LeftOut, Table
from dq_pipelines.project.check_titles import check_title, reason_title, reason_titles
from dq_pipelines.rules.core.clock import now
from dq_pipelines.web.dashboard.lake_counts import LakeCounts
from dq_pipelines.web.dashboard.site import LoadedProject, Site
from dq_pipelines.web.dashboard.table_summary import TableSummary, TimeRange


@dataclass(frozen=True)
class RequestContext:
    """The site as one request sees it."""

    site: Site
    known: LoadedProject
    #: keys of the visible tables; None for all, even those that are no longer in the project
    tables: Collection[str] | None
    span: TimeRange
    at: datetime
    #: the change token of history for these tables
    token: str

    @classmethod
    def of(
        cls, site: Site, known: LoadedProject, tables: Collection[str] | None = None, span: TimeRange | None = None
    ) -> RequestContext:
        """The context of a request that begins now. The token is read first, so that no change during the request is missed."""
        site.settle()
        return cls(site, known, tables, span or TimeRange(), now(), site.token(tables))

    @property
    def history(self) -> History:
        return self.site.stores.history

    @property
    def since(self) -> datetime | None:
        """The beginning of charts; None for that of history."""
        return self.span.since(self.at)

    def sees(self, key: str) -> bool:
        return self.tables is None or key in self.tables

    def table(self, key: str) -> Table | None:
        """The table in the project; None if it has none."""
        return self.known.project.by_key(key)

    @property
    def known_tables(self) -> dict[str, Table | LeftOut]:
        """The visible tables of the project, left-out ones too, by key."""
        project = self.known.project
        return {table.key: table for table in (*project, *project.left_out) if table.key and self.sees(table.key)}

    def left_out(self, key: str) -> LeftOut | None:
        """The left-out table of this key, else None."""
        return next((one for one in self.known.project.left_out if one.key == key), None)

    def description(self, key: str) -> str:
        table = self.table(key)
        return (table.model.description or "") if table is not None else ""

    def standing(self, key: str) -> TableStatus | None:
        """The status of a table; None if it never ran, or is not visible."""
        if not self.sees(key):
            return None
        found = latest_status(self.history, key) if self.history.is_begun else None
        return status_with_left_out(found, self.left_out(key))

    def standings(self) -> list[TableStatus]:
        """The status of every visible table, without removed ones; by verdicts and attempts, without the lake."""
        return [one for one in self._every if not self.is_removed(one.table)]

    def removed(self) -> list[TableStatus]:
        """The last status of removed tables."""
        return [one for one in self._every if self.is_removed(one.table)]

    def is_removed(self, key: str) -> bool:
        """Whether the table is no longer in YAML, and the report does not name it."""
        in_yaml = self.table(key) is not None or self.left_out(key) is not None
        return self.tables is None and self.known.is_loaded and not in_yaml

    @cached_property
    def _every(self) -> list[TableStatus]:
        every = self.site.latest().values()
        return [one for one in with_left_out(every, self.known.project.left_out) if self.sees(one.table)]

    def titles(self, key: str) -> Mapping[str, str]:
        """The titles of a table's checks, by name."""
        return self.site.titles(self.known.project, key)

    def title(self, key: str, result: ResultRecord) -> str:
        """What the rule of a result demands, in words."""
        return check_title(self.titles(key), result.check, result.rule, result.column)

    def title_of_reason(self, key: str, rule_type: str, column: str | None) -> str:
        """What the rule that refused rows demands, in words."""
        if key not in self._reason_titles:
            self._reason_titles[key] = reason_titles(self.table(key))
        return reason_title(self._reason_titles[key], rule_type, column)

    @cached_property
    def _reason_titles(self) -> dict[str, dict[tuple[str, str], str]]:
        return {}

    def summary(self, status: TableStatus, lake: LakeCounts) -> TableSummary:
        """The summary of a table, without since when its rules fail."""
        return self.site.summary(status, lake, self.known.project)

    def line(self, stands: TableStatus, lake: LakeCounts, spark: Sequence[TrendPoint] = ()) -> TableSummary:
        """The summary of a table with since when its rules fail, and its trend."""
        [found] = self.site.summaries.with_since([self.summary(stands, lake)])
        return replace(found, spark=spark)


@dataclass(frozen=True)
class PageContext:
    """The part of the request's context that every page shows."""

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
