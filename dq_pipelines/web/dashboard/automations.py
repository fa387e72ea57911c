"""The schedules and sensors of tables, by Dagster's records: whether each is on, and its last tick."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick

from dq_pipelines.project import Table
from dq_pipelines.project.automation_names import Kind, automations_of

#: Ticks by Dagster's status, in a word, with the badge's tone.
_WORDS = {
    "STARTED": ("running", "warning"),
    "SKIPPED": ("skipped", "never_run"),
    "SUCCESS": ("started runs", "healthy"),
    "FAILURE": ("failed", "failing"),
}
_LONGEST = 300


@dataclass(frozen=True)
class LastTick:
    """The last evaluation by Dagster's daemon."""

    at: datetime
    word: str
    tone: str
    #: why it was skipped or failed; "" for one that has started runs
    why: str


@dataclass(frozen=True)
class Automation:
    """The schedule or the sensor of a table."""

    name: str
    kind: Kind
    is_on: bool
    #: None before its first tick
    last: LastTick | None


def automations(instance: dg.DagsterInstance, tables: Iterable[Table]) -> Mapping[str, list[Automation]]:
    """By table, its schedule and its sensor; a table without any is left out.

    The code declares each as running, so one that Dagster has no record of is on.
    """
    names = [(table.name, *one) for table in tables for one in automations_of(table).items()]
    states = {state.instigator_name: state for state in instance.all_instigator_state()} if names else {}
    found: dict[str, list[Automation]] = defaultdict(list)
    for table, name, kind in names:
        state = states.get(name)
        is_on = state is None or state.status is not InstigatorStatus.STOPPED
        last = _last_tick(instance, state) if state is not None else None
        found[table].append(Automation(name, kind, is_on, last and _tick(last)))
    return found


def _last_tick(instance: dg.DagsterInstance, state: InstigatorState) -> InstigatorTick | None:
    """The last tick, by its index: Dagster's query for several at once ranks all ticks of a week."""
    return next(iter(instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)), None)


def _tick(tick: InstigatorTick) -> LastTick:
    word, tone = _WORDS.get(tick.status.value, (tick.status.value.lower(), "never_run"))
    error = tick.error.message.strip().splitlines()[0] if tick.error is not None and tick.error.message.strip() else ""
    why = (tick.skip_reason or error or "")[:_LONGEST]
    return LastTick(datetime.fromtimestamp(tick.timestamp, UTC), word, tone, why)
