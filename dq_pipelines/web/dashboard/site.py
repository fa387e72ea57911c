"""Reads and caches what the dashboard shows: history, lake and project. The lake is read seldom, since it may be slow."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from dq_pipelines.config.settings import Settings
from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import ConfigError, PublishError
from dq_pipelines.history.queries.change_token import change_token
from dq_pipelines.history.queries.failing_since import failing_since
from dq_pipelines.history.queries.table_status import TableStatus, latest_statuses
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.lake.tables import Lake
from dq_pipelines.orchestration.checks.left_out_tables import with_left_out
from dq_pipelines.pipeline.current_status import skipped_inputs_now, with_current_state
from dq_pipelines.pipeline.quarantine.quarantine_summary import QuarantineSummary, summarize_quarantine
from dq_pipelines.pipeline.runtime.dead_attempts import RunEnd, record_dead_attempts
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project, load_sound_tables
from dq_pipelines.project.loading import signs
from dq_pipelines.security.state import State

#: Seconds after which a table is read again where nothing tells whether it has changed, or where it could not be read.
_LOOK_AGAIN = 30.0
#: Tables that are read in parallel.
_AT_ONCE = 8

Value = TypeVar("Value")


@dataclass(frozen=True)
class LakeCounts:
    """Row counts of the lake."""

    #: rows by `<layer>/<table>`, without layers that a table does not have
    rows: Mapping[str, int] = field(default_factory=dict)
    #: quarantine by published table
    quarantines: Mapping[str, QuarantineSummary] = field(default_factory=dict)
    #: the result about inputs that are set aside, by silver table
    asides: Mapping[str, ResultRecord] = field(default_factory=dict)
    #: sentences about what could not be read
    notes: tuple[str, ...] = ()


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


class _Cached(Generic[Value]):
    """A cached value, which is computed again when its version has changed or it is too old."""

    def __init__(self, seconds: float | Callable[[Value], float] = float("inf")) -> None:
        self._seconds = seconds if callable(seconds) else lambda _: seconds
        self._lock = threading.Lock()
        self._cached: tuple[object, float, Value] | None = None

    def get(self, version: object, make: Callable[[], Value]) -> Value:
        with self._lock:
            cached = self._cached
            if cached is None or cached[0] != version or time.monotonic() > cached[1] + self._seconds(cached[2]):
                cached = self._cached = (version, time.monotonic(), make())
            return cached[2]


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
        self._project: _Cached[LoadedProject] = _Cached()
        self._last: Project | None = None
        self._settled: _Cached[None] = _Cached(1.0)
        self._asides: _Cached[_Asides] = _Cached(_LOOK_AGAIN)
        self._tables: defaultdict[str, _Cached[_Look]] = defaultdict(lambda: _Cached(lambda look: look.lasts))
        self._since: defaultdict[str, _Cached[Mapping[str, datetime]]] = defaultdict(_Cached)

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

    def lake_now(self, tables: Iterable[str]) -> LakeCounts:
        """The row counts of these published tables in the lake."""
        lake, token = self.stores.lake, change_token(self.stores.history)

        def look(table: str) -> _Look:
            logs = _logs_of(lake, table)
            version = token if logs is None else logs
            return self._tables[table].get(version, lambda: _look_at(lake, table, is_versioned=logs is not None))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(look, tables))
        asides, note = self._asides.get(token, lambda: _asides_of(lake))
        rows = {key: count for one in found for key, count in one.rows.items()}
        notes = [said for said in (note, *(one.note for one in found)) if said]
        return LakeCounts(rows, {one.quarantine.table: one.quarantine for one in found}, asides, tuple(notes))

    def settle(self) -> None:
        """Record attempts of killed runs as ended; the stores are queried at most once a second."""
        self._settled.get(None, lambda: record_dead_attempts(self.stores, self.end_of))

    def standings(self) -> list[TableStatus]:
        """The current status of every table with an attempt."""
        self.settle()
        history = self.stores.history
        found = latest_statuses(history) if history.is_begun else []
        lake = self.lake_now([one.table for one in found])
        now = [with_current_state(one, lake.asides, lake.quarantines.get(one.table)) for one in found]
        return with_left_out(now, self.known().project.left_out)

    def failing_since(self, table: TableStatus) -> Mapping[str, datetime]:
        """Failing check -> since when it fails. Cached until the table has another verdict."""
        version = [(one.batch, one.run_id, one.started_at) for one in (*table.verdicts, *table.rechecks)]
        failing = [rule.one.check for rule in table.failed]
        cached = self._since[table.table]
        return cached.get((version, failing), lambda: failing_since(self.stores.history, table.table, failing))


def _logs_of(lake: Lake, table: str) -> object | None:
    """A value that changes with each commit to a layer of the table; None in an object store, which gives none."""
    tokens = []
    for key in _layers(table):
        one = lake.table(key)
        token = one.format.change_token(one)
        if token is None and (is_remote(one.uri) or one.exists):
            return None
        tokens.append(token)
    return tuple(tokens)


def _layers(table: str) -> list[str]:
    """The tables in the lake whose rows are counted for a published table."""
    layer, _, name = table.partition("/")
    return [*([f"bronze/{name}"] if layer == "silver" else []), table, f"quarantine/{name}"]


@dataclass(frozen=True)
class _Look:
    """The row counts of one table in the lake."""

    quarantine: QuarantineSummary
    #: by `<layer>/<table>`
    rows: Mapping[str, int] = field(default_factory=dict)
    #: a sentence about what could not be read; "" for none
    note: str = ""
    #: whether a change of the table is seen without a read
    is_versioned: bool = False

    @property
    def lasts(self) -> float:
        """Seconds until the table is read again even if it seems unchanged."""
        return float("inf") if self.is_versioned and not self.note else _LOOK_AGAIN


_Asides = tuple[Mapping[str, ResultRecord], str]


def _asides_of(lake: Lake) -> _Asides:
    try:
        return skipped_inputs_now(lake), ""
    except PublishError as error:
        return {}, f"Inputs that are set aside are not listed: {error}"


def _look_at(lake: Lake, table: str, *, is_versioned: bool) -> _Look:
    *judged, refused_rows = _layers(table)
    try:
        rows = {key: lake.table(key).rows() for key in judged}
        quarantine = summarize_quarantine(lake, table)
    except PublishError as error:
        return _Look(QuarantineSummary(table, is_known=False), note=f"Rows of {table} are not counted: {error}")
    refused = sum(count for _, count in quarantine.statuses)
    return _Look(quarantine, rows | {refused_rows: refused}, is_versioned=is_versioned)
