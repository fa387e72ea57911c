"""Finds sensors and schedules that are late or whose last tick failed, by the daemon's records."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.remote_representation.external import RemoteSchedule, RemoteSensor
from dagster._core.scheduler.instigation import InstigatorState, InstigatorTick, TickStatus
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._utils.schedules import reverse_cron_string_iterator

#: A sensor is late after so many intervals plus so many seconds without a tick: a tick may take a minute.
_INTERVALS, _A_TICK = 3, 60.0
#: Seconds until a schedule counts as late.
_LATE = 300.0


@dataclass(frozen=True)
class LateTick:
    """A sensor or schedule that is late or fails."""

    #: "sensor" or "schedule"
    kind: str
    name: str
    #: what is wrong with it
    said: str
    #: seconds since 1970
    since: float


def late_ticks(process: WorkspaceProcessContext, started_at: float) -> Iterator[LateTick]:
    """Running sensors and schedules that are late or whose last tick failed; lateness counts from `started_at` at the earliest.

    Those that are no longer in the project are ignored.
    """
    instance, now = process.instance, time.time()
    states = {state.selector_id: state for state in instance.all_instigator_state()}
    running = [(one, loaded) for one, loaded in _instigators(process) if _is_on(one, states)]
    ticks = instance.get_batch_ticks([one.selector_id for one, _ in running], limit=1) if running else {}
    for one, loaded in running:
        tick = next(iter(ticks.get(one.selector_id, ())), None)
        kind = "sensor" if isinstance(one, RemoteSensor) else "schedule"
        if tick is not None and tick.status == TickStatus.FAILURE and not _is_over(tick, loaded):
            error = next(iter((tick.error.message if tick.error else "").strip().splitlines()), "")
            yield LateTick(kind, one.name, f"its last tick failed: {error}", tick.timestamp)
        elif (since := _late_since(one, tick, states.get(one.selector_id), started_at, now)) is not None:
            yield LateTick(kind, one.name, f"has not ticked for {now - since:.0f} s", since)


def _instigators(process: WorkspaceProcessContext) -> Iterator[tuple[RemoteSensor | RemoteSchedule, float]]:
    """Each sensor and schedule, with when its code was loaded, in seconds since 1970."""
    for entry in process.get_current_workspace().code_location_entries.values():
        for repository in entry.code_location.get_repositories().values() if entry.code_location else ():
            yield from ((sensor, entry.update_timestamp) for sensor in repository.get_sensors())
            yield from ((schedule, entry.update_timestamp) for schedule in repository.get_schedules())


def _is_over(tick: InstigatorTick, loaded: float) -> bool:
    """Whether the tick failed because the code server was unavailable, which has loaded the code since."""
    away = tick.error is not None and tick.error.cls_name == DagsterUserCodeUnreachableError.__name__
    return away and tick.timestamp < loaded


def _is_on(one: RemoteSensor | RemoteSchedule, states: Mapping[str, InstigatorState]) -> bool:
    return bool(one.get_current_instigator_state(states.get(one.selector_id)).is_running)


def _late_since(
    one: RemoteSensor | RemoteSchedule,
    tick: InstigatorTick | None,
    state: InstigatorState | None,
    started_at: float,
    now: float,
) -> float | None:
    """Since when a tick is due; None if none is late."""
    turned_on = getattr(state.instigator_data if state else None, "start_timestamp", None) or 0.0
    if isinstance(one, RemoteSensor):
        last = (tick.end_timestamp or tick.timestamp) if tick is not None else max(turned_on, started_at)
        patience = _INTERVALS * one.min_interval_seconds + _A_TICK
        return last if now - last > patience and now - started_at > patience else None
    due = _last_due(one.cron_schedule, one.execution_timezone or "UTC", now)
    waited = now - max(due, started_at)
    ticked = tick is not None and tick.timestamp >= due
    return None if ticked or turned_on > due or waited < _LATE else due


def _last_due(cron: str | Sequence[str], timezone: str, now: float) -> float:
    crons: Sequence[Any] = [cron] if isinstance(cron, str) else cron
    return max(float(next(iter(reverse_cron_string_iterator(now, each, timezone))).timestamp()) for each in crons)
