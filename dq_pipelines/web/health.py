"""Checks the health of every part that the service depends on, for REST and `/metrics`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dq_pipelines.errors import DqError
from dq_pipelines.web.dagster_client import DagsterHost
from dq_pipelines.web.dagster_client.late_ticks import late_ticks

if TYPE_CHECKING:  # its package imports this module, through the API
    from dq_pipelines.web.dashboard.site import Site

#: The parts, as REST and `/metrics` name them.
PARTS = ("history", "lake", "project", "dagster", "code location", "daemon", "sensors", "schedules")
#: The parts that Dagster brings.
OF_DAGSTER = frozenset(PARTS[3:])
#: Seconds without a heartbeat after which a part of the daemon counts as dead: heartbeats come every 30 s.
_SILENT = 120.0
#: Seconds for which an answer is cached.
_GOOD = 2.0


@dataclass(frozen=True)
class Problem:
    """What is wrong with one part."""

    part: str
    said: str
    #: seconds since 1970; None until it is known
    since: float | None = None
    #: whether it makes the service not ready
    is_grave: bool = True


class Health:
    """The health of the site's stores and of Dagster."""

    def __init__(self, site: Site, dagster: DagsterHost | None) -> None:
        self._site, self._dagster = site, dagster
        self._started_at = time.time()
        self._lock = threading.Lock()
        self._looked_at, self._problems = 0.0, list[Problem]()
        #: since when each problem exists, by part and sentence
        self._since: dict[tuple[str, str], float] = {}

    @property
    def hosted(self) -> tuple[str, ...]:
        """The parts that this gateway checks."""
        if self._dagster is None:
            return tuple(part for part in PARTS if part not in OF_DAGSTER)
        return PARTS if self._has_daemon(self._dagster) else PARTS[:5]

    def problems(self) -> list[Problem]:
        """The problems now; empty if all is well. Blocks: call it from a thread."""
        with self._lock:
            if time.monotonic() - self._looked_at > _GOOD:
                problems = list(self._check())
                keys = {(problem.part, problem.said) for problem in problems}
                now = time.time()
                self._since = {key: self._since.get(key, now) for key in keys}
                self._problems = [
                    replace(problem, since=problem.since or self._since[problem.part, problem.said])
                    for problem in problems
                ]
                self._looked_at = time.monotonic()
            return self._problems

    def _check(self) -> Iterator[Problem]:
        checks: dict[str, Callable[[], Iterator[Problem]]] = {
            "history": self._history,
            "lake": self._lake,
            "project": self._project,
        }
        if (host := self._dagster) is not None:
            checks |= {"dagster": lambda: _records(host), "code location": lambda: _code(host)}
            if self._has_daemon(host):
                checks |= {"daemon": lambda: _daemon(host, self._started_at), "sensors": lambda: self._ticks(host)}
        for part, check in checks.items():
            try:
                yield from check()
            except (DqError, OSError, sa.exc.SQLAlchemyError) as error:
                yield Problem(part, str(error).splitlines()[0])

    def _history(self) -> Iterator[Problem]:
        with self._site.stores.history.engine.connect() as connection:
            connection.execute(sa.text("select 1"))
        yield from ()

    def _lake(self) -> Iterator[Problem]:
        _ = self._site.stores.lake.table("bronze/_").exists  # this table does not exist; an unreachable store raises
        yield from ()

    def _project(self) -> Iterator[Problem]:
        if (known := self._site.known()).notes:
            # Tables that are left out are named; the others still work.
            yield Problem("project", "; ".join(known.notes), is_grave=known.is_stale)

    def _ticks(self, host: DagsterHost) -> Iterator[Problem]:
        for late in late_ticks(host.process, self._started_at):
            yield Problem(f"{late.kind}s", f"{late.name}: {late.said}", late.since)

    def _has_daemon(self, host: DagsterHost) -> bool:
        """Whether there is a daemon: ours, or another one that has sent a heartbeat."""
        return "daemon" in host.supervised or bool(host.instance.get_daemon_heartbeats())


def _records(host: DagsterHost) -> Iterator[Problem]:
    host.instance.get_run_ids(limit=1)
    yield from ()


def _code(host: DagsterHost) -> Iterator[Problem]:
    """Code servers that are being restarted, and code that has not loaded."""
    services = {name: failure for name, failure in host.supervised.items() if name != "daemon"}
    down = {name: now for name, failure in services.items() if (now := failure.now) is not None}
    for name, (said, since) in down.items():
        yield Problem("code location", f"{name}: {said}", since)
    for name, entry in host.process.get_current_workspace().code_location_entries.items():
        if entry.load_error is not None and name not in down:
            said = next(iter(entry.load_error.message.strip().splitlines()), "it has not loaded")
            yield Problem("code location", f"{name}: {said}", entry.update_timestamp)


def _daemon(host: DagsterHost, started_at: float) -> Iterator[Problem]:
    """A daemon that is being restarted, and parts of it without a recent heartbeat."""
    failure = host.supervised.get("daemon")
    if failure is not None and (now := failure.now) is not None:
        yield Problem("daemon", *now)
        return
    beats = host.instance.get_daemon_heartbeats()
    for kind in host.instance.get_required_daemon_types():
        last = beats[kind].timestamp if kind in beats else started_at
        if (silent := time.time() - last) > _SILENT:
            said = f"last heartbeat {silent:.0f} s ago" if kind in beats else "no heartbeat yet"
            yield Problem("daemon", f"{kind}: {said}", last)
