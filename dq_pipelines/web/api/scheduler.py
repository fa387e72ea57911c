"""Shows the daemon, schedules and sensors, and pauses and resumes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from dq_pipelines.errors import nearest
from dq_pipelines.project.automation_names import table_of
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Dagster, Own, note, somewhere
from dq_pipelines.web.api.texts import Text
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.dagster_client import DagsterError, DagsterHost
from dq_pipelines.web.dagster_client.automation import Instigator, instigators
from dq_pipelines.web.problem_details import ApiError, in_lines, problems

router = APIRouter(tags=["scheduler"])


class Daemon(BaseModel):
    """One part of Dagster's daemon, by its last heartbeat."""

    type: str = Field(examples=["SCHEDULER"])
    healthy: bool
    last_heartbeat: datetime | None


class LastTick(BaseModel):
    """The last tick."""

    at: datetime
    status: str = Field(examples=["SKIPPED"])
    said: str | None = Field(examples=["nothing new for silver/sales"])


class ScheduleOrSensor(BaseModel):
    """A schedule or a sensor."""

    name: str = Field(examples=["sales_schedule"])
    kind: Literal["schedule", "sensor"]
    table: str | None = Field(description="Null for one of the whole project.", examples=["silver/sales"])
    running: bool
    description: str | None
    cron: str | None = Field(description="Of a schedule, in UTC.", examples=["0 2 * * *"])
    interval_seconds: int | None = Field(description="Of a sensor.", examples=[30])
    last_tick: LastTick | None
    next_tick: datetime | None = Field(description="Null while it is paused.")


class Scheduler(BaseModel):
    """The daemon, the schedules and the sensors."""

    alive: bool = Field(
        description="Whether the scheduler and the sensors of the daemon have a recent heartbeat, by Dagster's limits."
    )
    daemons: Sequence[Daemon]
    schedules: Sequence[ScheduleOrSensor]
    sensors: Sequence[ScheduleOrSensor]


class ScheduleSelection(BaseModel):
    """The schedules and sensors to change; by default all that the caller may change."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"names": ["sales_schedule"]}]})

    names: Annotated[list[Text], Field(max_length=10_000)] | None = None


class Toggled(BaseModel):
    """The outcome for one schedule or sensor."""

    name: str
    kind: Literal["schedule", "sensor"]
    became: Literal["running", "paused", "refused", "failed"]
    changed: bool = Field(description="Whether its state changed.")
    said: str | None = Field(description="Why it was refused or failed.")


class AllToggled(BaseModel):
    """The outcome for each schedule and sensor."""

    items: Sequence[Toggled]


@router.get(
    "/scheduler",
    summary="The daemon, and each schedule and sensor",
    operation_id="scheduler",
    responses=problems(502, 503),
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def scheduler(dagster: Dagster, caller: Asker, rights: Own) -> Scheduler:
    daemons = _daemons(dagster)
    clocks = [_clock(one, _keys(one, rights)) for one in _seen(dagster, caller, rights)]
    beating = {daemon.type for daemon in daemons if daemon.healthy}
    return Scheduler(
        alive={"SCHEDULER", "SENSOR"} <= beating,
        daemons=daemons,
        schedules=[clock for clock in clocks if clock.kind == "schedule"],
        sensors=[clock for clock in clocks if clock.kind == "sensor"],
    )


_TURNS = problems(404, 413, 422, 502, 503)
_NEEDS = [Depends(somewhere(Permission.SCHEDULE))]


@router.post(
    "/scheduler/pause",
    summary="Pause schedules and sensors",
    operation_id="pause_scheduler",
    responses=_TURNS,
    dependencies=_NEEDS,
)
def pause(
    dagster: Dagster, caller: Asker, rights: Own, request: Request, which: ScheduleSelection | None = None
) -> AllToggled:
    return _turn(dagster, caller, rights, request, which or ScheduleSelection(), on=False)


@router.post(
    "/scheduler/resume",
    summary="Resume schedules and sensors",
    operation_id="resume_scheduler",
    responses=_TURNS,
    dependencies=_NEEDS,
)
def resume(
    dagster: Dagster, caller: Asker, rights: Own, request: Request, which: ScheduleSelection | None = None
) -> AllToggled:
    return _turn(dagster, caller, rights, request, which or ScheduleSelection(), on=True)


def _turn(
    dagster: DagsterHost, caller: Caller, rights: Rights, request: Request, which: ScheduleSelection, *, on: bool
) -> AllToggled:
    """Pause or resume each. Dagster checks and logs each again; a refusal here is logged here."""
    seen = {one.name: one for one in _seen(dagster, caller, rights)}
    if unknown := [name for name in which.names or () if name not in seen]:
        lines = [f"unknown schedule or sensor '{name[:100]}'{nearest(name, seen)}" for name in unknown]
        raise ApiError(404, in_lines(lines))
    wanted = [seen[name] for name in dict.fromkeys(which.names)] if which.names is not None else list(seen.values())
    found = []
    for one in wanted:
        keys = _keys(one, rights)
        if not rights.may_all(Permission.SCHEDULE, keys):
            if which.names is not None:
                note(request, f"{one.kind}.{'on' if on else 'off'}", one.name, "refused")
                why = rights.why_not_all(Permission.SCHEDULE, keys)
                found.append(Toggled(name=one.name, kind=one.kind, became="refused", changed=False, said=why))
            continue
        found.append(_turned(one, dagster, caller, on=on))
    return AllToggled(items=found)


def _turned(one: Instigator, dagster: DagsterHost, caller: Caller, *, on: bool) -> Toggled:
    changed = one.running != on
    try:
        if changed:
            one.turn(dagster, caller, on=on)
    except DagsterError as error:
        return Toggled(name=one.name, kind=one.kind, became="failed", changed=False, said=str(error))
    return Toggled(name=one.name, kind=one.kind, became="running" if on else "paused", changed=changed, said=None)


def _seen(dagster: DagsterHost, caller: Caller, rights: Rights) -> list[Instigator]:
    """The schedules and sensors that the caller may view."""
    return [one for one in instigators(dagster, caller) if rights.may_all(Permission.LOOK, _keys(one, rights))]


def _keys(one: Instigator, rights: Rights) -> tuple[str, ...]:
    """The key of the table that it runs; empty for one of the whole project."""
    table = table_of(one.name, rights.project)
    return (rights.project.tables[table].key,) if table else ()


_DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy lastHeartbeatTime } } } }"


def _daemons(dagster: DagsterHost) -> list[Daemon]:
    statuses = dagster.ask(None, _DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
    return [
        Daemon(
            type=one["daemonType"],
            healthy=bool(one["healthy"]),
            last_heartbeat=one["lastHeartbeatTime"] and datetime.fromtimestamp(one["lastHeartbeatTime"], UTC),
        )
        for one in statuses
        if one["required"]
    ]


def _clock(one: Instigator, keys: Sequence[str]) -> ScheduleOrSensor:
    last = LastTick(at=one.last.at, status=one.last.status, said=one.last.said) if one.last else None
    return ScheduleOrSensor(
        name=one.name, kind=one.kind, table=next(iter(keys), None), running=one.running, description=one.description, cron=one.cron,
        interval_seconds=one.interval, last_tick=last, next_tick=one.next,
    )  # fmt: skip
