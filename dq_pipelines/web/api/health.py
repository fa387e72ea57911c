"""Whether the gateway lives and what it leans on answers; and whether an API key is good."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import Literal

import dagster as dg
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from dq_pipelines.errors import DqError
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.asking import Asker, Behind, somewhere
from dq_pipelines.web.api.errors import problems
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.dagster_ui.daemon import last_heartbeat

#: Asked for without being logged in: see `web.access`.
open_router = APIRouter(tags=["health"])
router = APIRouter(tags=["health"])


_NOT_HERE = "not hosted here"
#: Seconds; a daemon says every 30 that it goes on.
_HEARD = 300


class Welcome(BaseModel):
    """What this is."""

    name: Literal["dq_pipelines"] = "dq_pipelines"
    version: str = Field(examples=["0.1.0"])
    api: str = Field("/api/v1", description="Where the routes are.")
    openapi: str = Field("/api/openapi.json", description="What they take and answer.")


class Health(BaseModel):
    """Whether everything that a request needs is there."""

    status: Literal["ready", "not ready"]
    #: by name, `ok` or what is wrong
    dependencies: dict[str, str] = Field(examples=[{"history": "ok", "lake": "ok", "dagster": "ok"}])


class Live(BaseModel):
    """That this process answers."""

    status: Literal["live"] = "live"


class KeyIsGood(BaseModel):
    """In whose name a key is."""

    user: str = Field(examples=["ann"])


@open_router.get("/api", summary="What this is", operation_id="welcome")
def welcome() -> Welcome:
    return Welcome(version=version("dq_pipelines"))


@open_router.get(
    "/apikey", summary="Whether the API key is good", operation_id="apikey", responses=problems(401), tags=["health"]
)
def key_is_good(caller: Asker) -> KeyIsGood:
    return KeyIsGood(user=caller.user.name)


@router.get("/health/live", summary="Whether this process lives", operation_id="live", status_code=200)
async def live() -> Live:
    """Leans on nothing: no database, no lake, no Dagster, no login."""
    return Live()


@router.get(
    "/health",
    summary="Whether all that is needed answers",
    description="503 where something that a request needs does not. A daemon that was not heard of is told, and makes nothing "
    "unready: pages and REST do without it, schedules and sensors do not.",
    operation_id="health",
    responses={503: {"model": Health, "description": "Something does not answer"}},
    dependencies=[Depends(somewhere(Permission.LOOK))],
)
def health(behind: Behind, response: Response) -> Health:
    found = {name: _said(behind, name) for name in ("history", "lake", "project", "dagster", "daemon")}
    ready = all(said in ("ok", _NOT_HERE) for name, said in found.items() if name != "daemon")
    response.status_code = 200 if ready else 503
    return Health(status="ready" if ready else "not ready", dependencies=found)


def _said(behind: Backend, name: str) -> str:
    try:
        if name == "history":
            with behind.site.stores.history.engine.connect() as connection:
                connection.execute(sa.text("select 1"))
        elif name == "lake":
            behind.site.stores.lake.table("bronze/_").delta()  # which there is not; a store that is away says so
        elif name == "project":
            return "; ".join(behind.site.known().notes) or "ok"
        elif behind.dagster is None:
            return _NOT_HERE
        elif name == "daemon":
            return _heard(behind.dagster.instance)
        else:
            behind.dagster.instance.get_run_ids(limit=1)
    except (DqError, OSError, sa.exc.SQLAlchemyError) as error:
        return str(error).splitlines()[0]
    return "ok"


def _heard(instance: dg.DagsterInstance) -> str:
    """Whether the daemon has said of late that it goes on."""
    last = last_heartbeat(instance)
    if last is None:
        return "was never heard of"
    ago = time.time() - last
    return "ok" if ago <= _HEARD else f"was heard of {ago / 60:,.0f} minutes ago"
