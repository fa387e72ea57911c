"""SIGKILLs of every kind of process of `dq serve` under load: how long it takes until a run succeeds that began after the kill."""

from __future__ import annotations

import itertools
import math
import os
import random
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from dq_pipelines_tests.chaos.gateway import Gateway, under_load
from dq_pipelines_tests.chaos.world import World
from dq_pipelines_tests.web.gateway_processes import KINDS as CHILDREN
from dq_pipelines_tests.web.gateway_processes import of_home, of_kind
from dq_pipelines_tests.workshop import Workshop

GATEWAY = "gateway"
KINDS = (*CHILDREN, GATEWAY)
#: The tables of the world that are landed; each has a sensor too.
TABLES = ("events", "accounts")
#: Seconds after which a service that has not had a successful run since a kill counts as one that needs help.
NEVER = 600.0
#: Seconds for all that has landed to be published in the end.
_SETTLED = 600.0


@dataclass(frozen=True)
class Kill:
    """One kill, and the seconds until the end of the next successful run; None where none came."""

    kind: str
    recovered: float | None


def serve_chaos(
    root: Path, seed: int, kills: int, minutes: float = math.inf, *, progress: bool = True
) -> tuple[list[Kill], list[str]]:
    """So many kills, or as many as so many minutes allow; and what is not as it must be in the end."""
    until = time.monotonic() + minutes * 60
    shop, world, moments = Workshop(root), World(seed, TABLES), random.Random(seed)
    world.begin(shop, on_arrival=True)
    done: list[Kill] = []
    records = _Records(root / ".dagster_home")
    with under_load(shop, world) as gateway:
        while not gateway.ask("GET", "/api/v1/health/live"):
            time.sleep(0.5)  # Dagster's SQLite files bear no second process while they are made
        records.succeeded_since(time.time(), NEVER)
        for kind in itertools.islice(_kinds(moments), kills):
            if time.monotonic() > until:
                break
            time.sleep(moments.uniform(0, 2))
            at = _kill(gateway, kind, moments)
            done.append(Kill(kind, records.succeeded_since(at, NEVER)))
            if progress:
                print(
                    f"\r{len(done)} killed, the last ({kind}) recovered in {done[-1].recovered} s", end="", flush=True
                )
            if done[-1].recovered is None:
                return done, [f"no run has succeeded within {NEVER:.0f} s of killing the {kind}"]
        wrong = _settle(gateway)
    if left := of_home(root / ".dagster_home"):
        wrong.append(f"{len(left)} processes have outlived the gateway")
    return done, wrong


def told(kills: list[Kill]) -> Iterator[str]:
    """A line for each kind of process, and one for all: how many kills, the median and the worst."""
    yield f"{'killed':20} {'kills':>5} {'median':>8} {'worst':>8}"
    for kind in (*KINDS, ""):
        found = [one.recovered for one in kills if one.recovered is not None and kind in (one.kind, "")]
        if found:
            yield f"{kind or 'all':20} {len(found):5} {statistics.median(found):6.1f} s {max(found):6.1f} s"


def _kinds(moments: random.Random) -> Iterator[str]:
    """All kinds equally often, in a random order."""
    while True:
        yield from moments.sample(KINDS, len(KINDS))


def _kill(gateway: Gateway, kind: str, moments: random.Random) -> float:
    """Kill a process of this kind as soon as there is one; gives when."""
    until = time.monotonic() + NEVER
    while time.monotonic() < until:
        home = gateway.shop.root / ".dagster_home"
        found = [one.pid for one in of_kind(home, kind)] if kind != GATEWAY else _pids(gateway)
        if found:
            with suppress(ProcessLookupError):
                os.kill(moments.choice(found), signal.SIGKILL)
                return time.time()
        time.sleep(0.1)
    raise AssertionError(f"there has been no {kind} for {NEVER:.0f} s")


def _pids(gateway: Gateway) -> list[int]:
    return [gateway.process.pid] if gateway.process is not None and gateway.process.poll() is None else []


def _settle(gateway: Gateway) -> list[str]:
    """Let everything that has landed be published, then compare; gives what differs."""
    gateway.quiet.set()
    until, wrong = time.monotonic() + _SETTLED, ["nothing was compared"]
    while wrong and time.monotonic() < until:
        for table in (*gateway.world.tables, "totals"):
            run = gateway.ask("POST", f"/api/v1/jobs/{table}/execute").get("run_id")
            while run and time.monotonic() < until:
                if gateway.ask("GET", f"/api/v1/runs/{run}").get("status") in ("SUCCESS", "FAILURE", "CANCELED"):
                    break
                time.sleep(0.5)
        wrong = gateway.world.differences(Workshop(gateway.shop.root))
    return wrong


@dataclass(frozen=True)
class _Records:
    """Dagster's records, read from outside."""

    home: Path

    def succeeded_since(self, at: float, seconds: float) -> float | None:
        """Seconds from a moment to the end of the first run that has begun since and succeeded; None where none does in time."""
        while time.time() < at + seconds:
            with suppress(Exception), dg.DagsterInstance.from_config(str(self.home)) as instance:
                wanted = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])
                ends = [
                    record.end_time
                    for record in instance.get_run_records(wanted, limit=20)
                    if record.start_time and record.end_time and record.start_time > at
                ]
                if ends:
                    return min(ends) - at
            time.sleep(0.3)
        return None
