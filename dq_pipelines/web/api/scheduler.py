"""What starts runs by itself: whether the daemon lives, each schedule and sensor, and turning them off and on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from dq_pipelines.errors import nearest
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Dagster, Own, note, somewhere
from dq_pipelines.web.api.texts import Text
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.dagster_client import DagsterError, DagsterHost
from dq_pipelines.web.dagster_client.automation import Instigator, instigators, table_of
from dq_pipelines.web.problem_details import ApiError, in_lines, problems

router = APIRouter(tags=["scheduler"])


class Daemon(BaseModel):
    """One part of Dagster's daemon, as its last heartbeat tells."""

    type: str = Field(examples=["SCHEDULER"])
    healthy: bool
    last_heartbeat: datetime | None


class LastTick(BaseModel):
    """The daemon's last look."""

    at: datetime
    status: str = Field(examples=["SKIPPED"])
    said: str | None = Field(examples=["nothing new for silver/sales"])


class Clock(BaseModel):
    """A schedule or a sensor."""

    name: str = Field(examples=["sales_schedule"])
    kind: Literal["schedule", "sensor"]
    table: str | None = Field(description="Null for one of the whole project.", examples=["silver/sales"])
    running: bool
    description: str | None
    cron: str | None = Field(description="Of a schedule, in UTC.", examples=["0 2 * * *"])
    interval_seconds: int | None = Field(description="Of a sensor.", examples=[30])
    last_tick: LastTick | None
    next_tick: datetime | None = Field(description="Null while it rests.")


class Scheduler(BaseModel):
    """What starts runs by itself."""

    alive: bool = Field(description="Whether the daemon's scheduler and sensors have beaten within Dagster's patience.")
    daemons: Sequence[Daemon]
    schedules: Sequence[Clock]
    sensors: Sequence[Clock]


class ScheduleSelection(BaseModel):
    """Which of them; all that the caller may turn, where none is named."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"names": ["sales_schedule"]}]})

    names: Annotated[list[Text], Field(max_length=10_000)] | None = None


class Toggled(BaseModel):
    """What became of one."""

    name: str
    kind: Literal["schedule", "sensor"]
    became: Literal["running", "paused", "refused", "failed"]
    changed: bool = Field(description="Whether it was otherwise before.")
    said: str | None = Field(description="Why it was refused, or failed.")


class AllToggled(BaseModel):
    """What became of each."""

    items: Sequence[Toggled]


@router.get(
    "/scheduler",
    summary="Whether the daemon lives, and each schedule and sensor",
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
    summary="Have schedules and sensors rest",
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
    summary="Have schedules and sensors run",
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
    """Dagster checks and notes each once more; what is refused here already is noted here."""
    seen = {one.name: one for one in _seen(dagster, caller, rights)}
    if unknown := [name for name in which.names or () if name not in seen]:
        said = [f"unknown schedule or sensor '{name[:100]}'{nearest(name, seen)}" for name in unknown]
        raise ApiError(404, in_lines(said))
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
    """Those that the caller may look at."""
    return [one for one in instigators(dagster, caller) if rights.may_all(Permission.LOOK, _keys(one, rights))]


def _keys(one: Instigator, rights: Rights) -> tuple[str, ...]:
    """The table that it runs; none for one of the whole project."""
    table = table_of(one.name, rights.project)
    return (rights.project.tables[table].key,) if table else ()


_DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy lastHeartbeatTime } } } }"


def _daemons(dagster: DagsterHost) -> list[Daemon]:
    told = dagster.ask(None, _DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
    return [
        Daemon(
            type=one["daemonType"],
            healthy=bool(one["healthy"]),
            last_heartbeat=one["lastHeartbeatTime"] and datetime.fromtimestamp(one["lastHeartbeatTime"], UTC),
        )
        for one in told
        if one["required"]
    ]


def _clock(one: Instigator, keys: Sequence[str]) -> Clock:
    last = LastTick(at=one.last.at, status=one.last.status, said=one.last.said) if one.last else None
    return Clock(
        name=one.name, kind=one.kind, table=next(iter(keys), None), running=one.running, description=one.description, cron=one.cron,
        interval_seconds=one.interval, last_tick=last, next_tick=one.next,
    )  # fmt: skip
