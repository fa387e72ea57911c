"""What the dashboard reads: history, lake, project. The lake is looked at seldom, since it may be far away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, PublishError
from dq_pipelines.history.pulse import pulse
from dq_pipelines.history.records import ResultRecord
from dq_pipelines.lake.tables import Lake
from dq_pipelines.layers.present import asides_now
from dq_pipelines.layers.stores import Stores
from dq_pipelines.layers.waiting import Quarantine, waiting
from dq_pipelines.project import Project, load_project

#: Seconds after which the lake is looked at again although no run has ended since: rows may have been dismissed.
_LOOK_AGAIN = 30.0
#: Tables that are asked at once.
_AT_ONCE = 8

Held = TypeVar("Held")


@dataclass(frozen=True)
class LakeNow:
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
class Known:
    """The project as its files have it now, or what is wrong with them."""

    project: Project = field(default_factory=Project)
    notes: tuple[str, ...] = ()


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

    def __init__(self, stores: Stores, config: str, dagster_url: str = "") -> None:
        self.stores = stores
        self.config = config
        self._dagster_url = dagster_url
        self._project: _Kept[Known] = _Kept()
        self._lake: _Kept[LakeNow] = _Kept(_LOOK_AGAIN)

    @classmethod
    def from_environment(cls) -> Site:
        settings = Settings.from_environment()
        return cls(Stores.from_environment(), settings.config, settings.dagster_url)

    @property
    def dagster_url(self) -> str:
        """Where Dagster's UI is: as this process was told, else as project.yaml says; "" for the same address."""
        return self._dagster_url or (self.known().project.settings.dagster_url or "").rstrip("/")

    def known(self) -> Known:
        """The project; it is loaded again when a file of it has changed."""
        files = sorted(Path(self.config).rglob("*.y*ml"))
        return self._project.get([(file, file.stat().st_mtime_ns) for file in files], self._load)

    def _load(self) -> Known:
        try:
            return Known(load_project(self.config))
        except ConfigError as error:
            # A dashboard is of the past: what is wrong with the files now must not hide it.
            more = f" (and {len(error.problems) - 1} more, see dq check)" if len(error.problems) > 1 else ""
            return Known(notes=(f"Tables without a verdict are not listed: {error.problems[0]}{more}",))

    def lake_now(self, tables: Iterable[str]) -> LakeNow:
        """What lies in the lake of these published tables."""
        wanted = sorted(tables)
        return self._lake.get((pulse(self.stores.history), wanted), lambda: look(self.stores.lake, wanted))


def look(lake: Lake, tables: Iterable[str]) -> LakeNow:
    """Ask the lake for the rows of each layer of these published tables, and for what waits of them."""
    notes: list[str] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda table: _look_at(lake, table), tables))
    asides: Mapping[str, ResultRecord] = {}
    try:
        asides = asides_now(lake)
    except PublishError as error:
        notes.append(f"Inputs that stand aside are not listed: {error}")
    rows: dict[str, int] = {}
    quarantines = {}
    for counts, quarantine, note in found:
        rows |= counts
        quarantines[quarantine.table] = quarantine
        notes += [note] if note else []
    return LakeNow(rows, quarantines, asides, tuple(notes))


def _look_at(lake: Lake, table: str) -> tuple[dict[str, int], Quarantine, str]:
    layer, _, name = table.partition("/")
    try:
        keys = [f"bronze/{name}", table] if layer == "silver" else [table]
        rows = {key: lake.table(key).rows() for key in keys}
        quarantine = waiting(lake, table)
    except PublishError as error:
        return {}, Quarantine(table), f"Rows of {table} are not counted: {error}"
    return rows | {f"quarantine/{name}": sum(count for _, count in quarantine.statuses)}, quarantine, ""
