"""Reads and caches what the dashboard shows: history, lake and project."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from dq_pipelines.config.settings import Settings
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.errors import ConfigError, PublishError
from dq_pipelines.history.queries.change_token import change_token
from dq_pipelines.history.queries.recent_changes import RecentChanges, recent_changes
from dq_pipelines.history.queries.status_cache import StatusCache
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.queries.totals import rows_in_by_table
from dq_pipelines.lake.tables import PARTITION, LakeTable
from dq_pipelines.orchestration.checks.left_out_tables import with_left_out
from dq_pipelines.pipeline.runtime.dead_attempts import RunEnd, record_dead_attempts
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project, Table, load_sound_tables
from dq_pipelines.project.check_titles import check_titles
from dq_pipelines.project.loading import signs
from dq_pipelines.security.state import State
from dq_pipelines.web.dashboard.cached import Cached
from dq_pipelines.web.dashboard.lake_counts import LakeCounts
from dq_pipelines.web.dashboard.lake_reader import LakeReader
from dq_pipelines.web.dashboard.per_table_cache import PerTableCache
from dq_pipelines.web.dashboard.search_index import SearchIndex
from dq_pipelines.web.dashboard.summary_cache import SummaryCache
from dq_pipelines.web.dashboard.table_summary import SPANS, TableSummary

#: How far back a change is recent.
RECENT = timedelta(days=1)


@dataclass(frozen=True)
class LoadedProject:
    """The project of the current files, with sentences about mistakes in them."""

    project: Project = field(default_factory=Project)
    notes: tuple[str, ...] = ()
    #: whether this is the last project that could be loaded: the current mistakes concern all tables
    is_stale: bool = False

    @property
    def is_loaded(self) -> bool:
        """Whether a project is loaded, even if it is stale."""
        return not self.notes or bool(list(self.project))

    def without_details(self) -> LoadedProject:
        """The same without the mistakes' sentences, for readers of some tables: the mistakes may be in other tables' files."""
        note = "Some YAML files have mistakes; the last valid project is shown."
        if not self.is_stale:
            note = "Some YAML files have mistakes; their tables are left out."
        return replace(self, notes=(note,) * bool(self.notes))


class Site:
    """The stores, the project's folder, and the address of Dagster's UI (see `Settings`)."""

    def __init__(self, stores: Stores, config: str, dagster_url: str | None = "", state: State | None = None) -> None:
        self.stores = stores
        #: the folder of users and the audit log; by default that of the environment
        self.state = state or State.from_environment()
        self.config = config
        #: how Dagster says that a run ended; None for every run without a hosted Dagster
        self.end_of: Callable[[str], RunEnd] = lambda _: None
        #: the server sets it, to end event streams
        self.closing = threading.Event()
        self._dagster_url = dagster_url
        self._project: Cached[LoadedProject] = Cached()
        self._last: Project | None = None
        self._index: Cached[SearchIndex] = Cached()
        self._titles: Cached[dict[str, dict[str, str]]] = Cached()
        self._settled: Cached[None] = Cached(1.0)
        #: what is counted in the lake, and summaries of tables
        self.lake = LakeReader(stores, self.closing)
        self.summaries = SummaryCache(stores.history)
        self._statuses = StatusCache(stores.history)
        self._recent = PerTableCache(stores.history, recent_changes, RECENT)
        self._rows_in = {name: PerTableCache(stores.history, rows_in_by_table, span) for name, span in SPANS.items()}
        #: by table, the version of its log and its columns
        self._columns: dict[str, tuple[object, list[str]]] = {}

    @classmethod
    def from_environment(cls, *, hosting: bool = False) -> Site:
        """A site by the environment's settings. With `hosting`, links to Dagster lead to this server, unless a URL is set."""
        settings = Settings.from_environment()
        return cls(Stores.from_environment(), settings.config, settings.dagster_url or (None if hosting else ""))

    @property
    def dagster_url(self) -> str:
        """The URL of Dagster's UI: that of the environment, else that of project.yaml; "" for this server."""
        if self._dagster_url is None:
            return ""
        return self._dagster_url or (self.known().project.settings.dagster_url or "").rstrip("/")

    def known(self) -> LoadedProject:
        """The project, which is loaded again when one of its files has changed."""
        return self._project.get(signs(Path(self.config)), self._load)

    def _load(self) -> LoadedProject:
        try:
            self._last = load_sound_tables(self.config)
        except ConfigError as error:
            # A dashboard is about the past: a mistake in the files now must hide neither it nor the owners of tables.
            more = f" (and {len(error.problems) - 1} more, see dq check)" if len(error.problems) > 1 else ""
            so = "Tables without a verdict are not listed" if self._last is None else "The last valid project is shown"
            return LoadedProject(self._last or Project(), (f"{so}: {error.problems[0]}{more}",), is_stale=True)
        return LoadedProject(self._last, tuple(f"Left out: {table.why}" for table in self._last.left_out))

    def settle(self) -> None:
        """Record attempts of killed runs as ended; the stores are queried at most once a second."""
        self._settled.get(None, lambda: record_dead_attempts(self.stores, self.end_of))

    def lake_now(self, tables: Iterable[str]) -> LakeCounts:
        """The row counts of these published tables in the lake."""
        return self.lake.now(tables)

    def latest(self) -> Mapping[str, TableStatus]:
        """The status of every table by its verdicts and attempts alone, by name; see `latest_statuses`."""
        return self._statuses.all()

    def recent(self, at: datetime) -> Mapping[str, RecentChanges]:
        """What changed in each table within the last day."""
        return self._recent.now(self.latest(), at)

    def rows_in(self, span: str, at: datetime) -> Mapping[str, tuple[int, int]]:
        """By table, the rows that came in within the time range of this name, and those refused."""
        return self._rows_in[span].now(self.latest(), at)

    def standings(self) -> list[TableStatus]:
        """The current status of every table with an attempt."""
        self.settle()
        found, project = self.latest().values(), self.known().project
        lake = self.lake_now([one.table for one in found])
        return with_left_out((self.summary(one, lake, project).standing for one in found), project.left_out)

    def summary(self, status: TableStatus, lake: LakeCounts, project: Project) -> TableSummary:
        """The summary of a table, without since when its rules fail."""
        about = project.by_key(status.table) or project.left_out_by_key(status.table)
        domain = about.domain if about is not None else ""
        return self.summaries.summary(status, domain, lake.asides, lake.quarantines.get(status.table))

    def search_index(self, project: Project) -> SearchIndex:
        """What the search looks through, made once for each project."""
        return self._index.get(project, lambda: SearchIndex.of(project))

    def titles(self, project: Project, key: str) -> Mapping[str, str]:
        """The titles of a table's checks by their names, made once for each project."""
        made = self._titles.get(project, dict)
        if key not in made:
            made[key] = check_titles(project.by_key(key))
        return made[key]

    def columns_of(self, table: Table) -> list[str]:
        """The columns of a published table; before its first batch, those that its YAML declares."""
        stored = self.stores.lake.table(table.key)
        version = stored.format.change_token(stored)
        known = self._columns.get(table.key)
        if known is None or version is None or known[0] != version:
            known = self._columns[table.key] = (version, _columns_of(table, stored))
        return known[1]

    def token(self, tables: Collection[str] | None = None) -> str:
        """A text that changes with each verdict and attempt of these tables, and when all rows in the lake are counted."""
        return change_token(self.stores.history, tables) + "+" * self.lake.is_counting

    def installation(self) -> Installation:
        """The installation behind this site, to be examined and measured."""
        home = os.environ.get("DAGSTER_HOME")
        return Installation.of(self.config, self.stores, Path(home) if home else None, self.state.folder)


def _columns_of(table: Table, stored: LakeTable) -> list[str]:
    with suppress(PublishError):
        if stored.exists:
            return [name for name in stored.scan().collect_schema().names() if name != PARTITION]
    return [] if table.is_gold else list(table.landed.silver.columns)
