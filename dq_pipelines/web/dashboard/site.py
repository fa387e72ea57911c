"""What the dashboard reads: history, lake, project. The lake is looked at seldom, since it may be far away."""

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
from dq_pipelines.errors import ConfigError, PublishError
from dq_pipelines.history.queries.change_token import change_token
from dq_pipelines.history.queries.failing_since import failing_since
from dq_pipelines.history.queries.table_status import TableStatus, latest_statuses
from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.lake.tables import Lake
from dq_pipelines.orchestration.checks.left_out_tables import with_left_out
from dq_pipelines.pipeline.current_status import as_of_now, asides_now
from dq_pipelines.pipeline.quarantine.quarantine_summary import Quarantine, waiting
from dq_pipelines.pipeline.runtime.dead_attempts import RunEnd, settle
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Project, load_sound_tables
from dq_pipelines.project.loading import signs
from dq_pipelines.security.state import State

#: Seconds after which the lake is looked at again although no run has ended since: rows may have been dismissed.
_LOOK_AGAIN = 30.0
#: Tables that are asked at once.
_AT_ONCE = 8

Held = TypeVar("Held")


@dataclass(frozen=True)
class LakeCounts:
    """How many rows lie where."""

    #: by `<layer>/<table>`; layers that a table does not have are left out
    rows: Mapping[str, int] = field(default_factory=dict)
    #: by published table
    quarantines: Mapping[str, Quarantine] = field(default_factory=dict)
    #: inputs that stand aside, by silver table
    asides: Mapping[str, ResultRecord] = field(default_factory=dict)
    #: what could not be read, in sentences
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LoadedProject:
    """The project as its files have it now, or what is wrong with them."""

    project: Project = field(default_factory=Project)
    notes: tuple[str, ...] = ()
    #: whether the project is as it was before: what is wrong now concerns all tables
    is_stale: bool = False

    @property
    def is_loaded(self) -> bool:
        """Whether the project is known, be it as it was before."""
        return not self.notes or bool(list(self.project))

    def told_briefly(self) -> LoadedProject:
        """The same for who sees some tables alone: what is wrong may be in another one's file."""
        told = "Some YAML of the project is faulty, and read as it was before."
        if not self.is_stale:
            told = "Some YAML of the project is faulty; the tables that it is about are left out."
        return replace(self, notes=(told,) * bool(self.notes))


class _Kept(Generic[Held]):
    """One value, made anew when its sign has changed or it is too old."""

    def __init__(self, seconds: float = float("inf")) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: tuple[object, float, Held] | None = None

    def get(self, sign: object, make: Callable[[], Held]) -> Held:
        with self._lock:
            if self._kept is None or self._kept[0] != sign or time.monotonic() > self._kept[1] + self._seconds:
                self._kept = (sign, time.monotonic(), make())
            return self._kept[2]


class Site:
    """The stores, the folder of the project's YAML files, and where Dagster's UI is (see `Settings`)."""

    def __init__(self, stores: Stores, config: str, dagster_url: str | None = "", state: State | None = None) -> None:
        self.stores = stores
        #: where users and the audit log lie: as the environment says, where nothing else is said
        self.state = state or State.from_environment()
        self.config = config
        #: what Dagster says of the end of a run, where this process can ask it
        self.end_of: Callable[[str], RunEnd] = lambda _: None
        #: set by whoever serves it, to end streams that would not end by themselves
        self.closing = threading.Event()
        self._dagster_url = dagster_url
        self._project: _Kept[LoadedProject] = _Kept()
        self._last: Project | None = None
        self._settled: _Kept[None] = _Kept(1.0)
        self._asides: _Kept[_Asides] = _Kept(_LOOK_AGAIN)
        self._tables: defaultdict[str, _Kept[_Look]] = defaultdict(lambda: _Kept(_LOOK_AGAIN))
        self._since: defaultdict[str, _Kept[Mapping[str, datetime]]] = defaultdict(_Kept)

    @classmethod
    def from_environment(cls, *, hosting: bool = False) -> Site:
        """By the environment; where Dagster's UI is hosted beside, links lead there, unless this process is told otherwise."""
        settings = Settings.from_environment()
        return cls(Stores.from_environment(), settings.config, settings.dagster_url or (None if hosting else ""))

    @property
    def dagster_url(self) -> str:
        """Where Dagster's UI is: as this process was told, else as project.yaml says; "" for the same address, as None says."""
        if self._dagster_url is None:
            return ""
        return self._dagster_url or (self.known().project.settings.dagster_url or "").rstrip("/")

    def known(self) -> LoadedProject:
        """The project; it is loaded again when a file of it has changed."""
        return self._project.get(signs(Path(self.config)), self._load)

    def _load(self) -> LoadedProject:
        try:
            self._last = load_sound_tables(self.config)
        except ConfigError as error:
            # A dashboard is of the past: what is wrong with the files now must not hide it, nor whose tables are whose.
            more = f" (and {len(error.problems) - 1} more, see dq check)" if len(error.problems) > 1 else ""
            so = (
                "Tables without a verdict are not listed" if self._last is None else "The YAML is read as it was before"
            )
            return LoadedProject(self._last or Project(), (f"{so}: {error.problems[0]}{more}",), is_stale=True)
        return LoadedProject(self._last, tuple(f"Left out: {one.why}" for one in self._last.left_out))

    def lake_now(self, tables: Iterable[str]) -> LakeCounts:
        """What lies in the lake of these published tables."""
        lake, sign = self.stores.lake, change_token(self.stores.history)

        def look(table: str) -> _Look:
            return self._tables[table].get((sign, _log_of(lake, table)), lambda: _look_at(lake, table))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(look, tables))
        asides, note = self._asides.get(sign, lambda: _asides_of(lake))
        rows = {key: count for one in found for key, count in one.rows.items()}
        notes = [said for said in (note, *(one.note for one in found)) if said]
        return LakeCounts(rows, {one.quarantine.table: one.quarantine for one in found}, asides, tuple(notes))

    def settle(self) -> None:
        """Have attempts written down that were killed; the stores are asked at most once a second."""
        self._settled.get(None, lambda: settle(self.stores, self.end_of))

    def standings(self) -> list[TableStatus]:
        """Where every table stands now that was ever tried."""
        self.settle()
        history = self.stores.history
        found = latest_statuses(history) if history.is_begun else []
        lake = self.lake_now([one.table for one in found])
        now = [as_of_now(one, lake.asides, lake.quarantines.get(one.table)) for one in found]
        return with_left_out(now, self.known().project.left_out)

    def failing_since(self, table: TableStatus) -> Mapping[str, datetime]:
        """By check of those that fail, since when; asked anew when the table has another verdict."""
        sign = [(one.batch, one.run_id, one.started_at) for one in (*table.verdicts, *table.rechecks)]
        failing = [rule.one.check for rule in table.failed]
        ask = self._since[table.table]
        return ask.get((sign, failing), lambda: failing_since(self.stores.history, table.table, failing))


def _sign_of(file: Path) -> tuple[int, int, int, int] | None:
    """What is other when a file has changed; None for one that is gone since it was listed."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size


def _log_of(lake: Lake, table: str) -> object | None:
    """What is other once a person has dismissed or replayed rows; None in an object store, which is asked seldom."""
    quarantine = lake.table(f"quarantine/{table.partition('/')[2]}")
    return quarantine.format.change_token(quarantine)


@dataclass(frozen=True)
class _Look:
    """What lies in the lake of one table."""

    quarantine: Quarantine
    #: by `<layer>/<table>`
    rows: Mapping[str, int] = field(default_factory=dict)
    #: what could not be read
    note: str = ""


_Asides = tuple[Mapping[str, ResultRecord], str]


def _asides_of(lake: Lake) -> _Asides:
    try:
        return asides_now(lake), ""
    except PublishError as error:
        return {}, f"Inputs that stand aside are not listed: {error}"


def _look_at(lake: Lake, table: str) -> _Look:
    layer, _, name = table.partition("/")
    try:
        rows = {key: lake.table(key).rows() for key in ([f"bronze/{name}", table] if layer == "silver" else [table])}
        quarantine = waiting(lake, table)
    except PublishError as error:
        return _Look(Quarantine(table, is_known=False), note=f"Rows of {table} are not counted: {error}")
    refused = sum(count for _, count in quarantine.statuses)
    return _Look(quarantine, rows | {f"quarantine/{name}": refused})
