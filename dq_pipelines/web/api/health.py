"""Whether the gateway lives and what it leans on answers; and whether an API key is good."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Asker, Behind, Own, somewhere
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.health import PARTS, Problem
from dq_pipelines.web.problem_details import problems as refusals

#: Asked for without being logged in: see `web.auth.access`.
open_router = APIRouter(tags=["health"])
router = APIRouter(tags=["health"])


_NOT_HERE = "not hosted here"


class ApiRoot(BaseModel):
    """What this is."""

    name: Literal["dq_pipelines"] = "dq_pipelines"
    version: str = Field(examples=["0.1.0"])
    api: str = Field("/api/v1", description="Where the routes are.")
    openapi: str = Field("/api/openapi.json", description="What they take and answer.")


class HealthProblem(BaseModel):
    """One thing that is not alive."""

    part: str = Field(examples=["daemon"])
    said: str = Field(description="What is wrong.", examples=["ended (exit -9) and is started again"])
    since: datetime | None = Field(description="Since when.")


class Health(BaseModel):
    """Whether everything that the service leans on is alive."""

    status: Literal["ready", "not ready"]
    dependencies: dict[str, str] = Field(
        description="By part, `ok` or what is wrong.", examples=[{"history": "ok", "lake": "ok", "daemon": "ok"}]
    )
    problems: list[HealthProblem] = Field(description="What is not alive, and which tables are left out.")


class Liveness(BaseModel):
    """That this process answers."""

    status: Literal["live"] = "live"


class KeyCheck(BaseModel):
    """In whose name a key is."""

    user: str = Field(examples=["ann"])


@open_router.get("/api", summary="What this is", operation_id="welcome")
def welcome() -> ApiRoot:
    return ApiRoot(version=version("dq_pipelines"))


@open_router.get(
    "/apikey", summary="Whether the API key is good", operation_id="apikey", responses=refusals(401), tags=["health"]
)
def key_is_good(caller: Asker) -> KeyCheck:
    return KeyCheck(user=caller.user.name)


@router.get("/health/live", summary="Whether this process lives", operation_id="live", status_code=200)
async def live() -> Liveness:
    """Leans on nothing: no database, no lake, no Dagster, no login."""
    return Liveness()


@router.get(
    "/health",
    summary="Whether all that the service leans on is alive",
    description="503 unless history, lake, project, Dagster's records, the code location and the daemon are alive, and every sensor and "
    "schedule that is on has ticked of late, without failing. `problems` names what is not, and since when; also tables that are left out, since their files "
    "are not sound: those keep no other from running, and the service stays ready.",
    operation_id="health",
    responses={503: {"model": Health, "description": "Something is not alive"}},
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def health(behind: Behind, own: Own, response: Response) -> Health:
    found = behind.health.problems()
    problems = [_told(one, own) for one in found]
    hosted = behind.health.hosted
    said = {part: "; ".join(one.said for one in problems if one.part == part) for part in hosted}
    unready = any(one.is_grave for one in found)
    response.status_code = 503 if unready else 200
    return Health(
        status="not ready" if unready else "ready",
        dependencies={part: said.get(part) or "ok" if part in hosted else _NOT_HERE for part in PARTS},
        problems=problems,
    )


def _told(one: Problem, own: Rights) -> HealthProblem:
    """A problem as it is told: who may not look at every table is not told the names of what is late."""
    since = datetime.fromtimestamp(one.since, UTC) if one.since is not None else None
    of_tables = one.part in ("sensors", "schedules", "project")
    if of_tables and not own.may_everywhere(Permission.LOOK):
        return HealthProblem(part=one.part, said="something is wrong with one of them", since=since)
    return HealthProblem(part=one.part, said=one.said, since=since)
