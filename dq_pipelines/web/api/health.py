"""Serves liveness, health with its problems, and a check of API keys."""

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

#: Routes outside of `/api/v1`: `/api` needs no login, `/apikey` does.
open_router = APIRouter(tags=["health"])
router = APIRouter(tags=["health"])


_NOT_HERE = "not hosted here"


class ApiRoot(BaseModel):
    """The name and version of this API, and where to find its routes."""

    name: Literal["dq_pipelines"] = "dq_pipelines"
    version: str = Field(examples=["0.1.0"])
    api: str = Field("/api/v1", description="The prefix of the routes.")
    openapi: str = Field("/api/openapi.json", description="The document of the routes.")


class HealthProblem(BaseModel):
    """A problem of one part."""

    part: str = Field(examples=["daemon"])
    said: str = Field(description="What is wrong.", examples=["ended (exit -9) and is being restarted"])
    since: datetime | None = Field(description="Since when.")


class Health(BaseModel):
    """The health of all parts that the service depends on."""

    status: Literal["ready", "not ready"]
    dependencies: dict[str, str] = Field(
        description="By part, `ok` or what is wrong.", examples=[{"history": "ok", "lake": "ok", "daemon": "ok"}]
    )
    problems: list[HealthProblem] = Field(description="Parts that are not alive, and tables that are left out.")


class Liveness(BaseModel):
    """This process answers."""

    status: Literal["live"] = "live"


class KeyCheck(BaseModel):
    """The user of an API key."""

    user: str = Field(examples=["ann"])


@open_router.get("/api", summary="The version of this API", operation_id="welcome")
def welcome() -> ApiRoot:
    return ApiRoot(version=version("dq_pipelines"))


@open_router.get(
    "/apikey", summary="Whether the API key is valid", operation_id="apikey", responses=refusals(401), tags=["health"]
)
def key_is_good(caller: Asker) -> KeyCheck:
    return KeyCheck(user=caller.user.name)


@router.get("/health/live", summary="Whether this process is alive", operation_id="live", status_code=200)
async def live() -> Liveness:
    """It depends on nothing: no database, no lake, no Dagster, no login."""
    return Liveness()


@router.get(
    "/health",
    summary="Whether all parts that the service depends on are alive",
    description="503 unless history, lake, project, Dagster's records, the code location and the daemon are alive, and every running "
    "sensor and schedule has a recent tick that did not fail. `problems` names each problem and since when it exists. It also names "
    "tables that are left out, since their files have mistakes; other tables still run, and the service stays ready.",
    operation_id="health",
    responses={503: {"model": Health, "description": "A part is not alive"}},
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def health(behind: Behind, own: Own, response: Response) -> Health:
    current = behind.health.problems()
    problems = [_line(problem, own) for problem in current]
    hosted = behind.health.hosted
    messages = {part: "; ".join(one.said for one in problems if one.part == part) for part in hosted}
    unready = any(problem.is_grave for problem in current)
    response.status_code = 503 if unready else 200
    return Health(
        status="not ready" if unready else "ready",
        dependencies={part: messages.get(part) or "ok" if part in hosted else _NOT_HERE for part in PARTS},
        problems=problems,
    )


def _line(one: Problem, own: Rights) -> HealthProblem:
    """A problem for the caller: names of late sensors are hidden from callers who may not view every table."""
    since = datetime.fromtimestamp(one.since, UTC) if one.since is not None else None
    of_tables = one.part in ("sensors", "schedules", "project")
    if of_tables and not own.may_everywhere(Permission.LOOK):
        return HealthProblem(part=one.part, said="something is wrong with one of them", since=since)
    return HealthProblem(part=one.part, said=one.said, since=since)
