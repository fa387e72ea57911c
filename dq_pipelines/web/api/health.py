"""Whether the gateway lives and what it leans on answers; and whether an API key is good."""

from __future__ import annotations

from importlib.metadata import version
from typing import Literal

import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from dq_pipelines.errors import DqError
from dq_pipelines.web.api.asking import Asker, Behind
from dq_pipelines.web.api.errors import problems
from dq_pipelines.web.backend import Backend

#: Asked for without being logged in: see `web.access`.
open_router = APIRouter(tags=["health"])
router = APIRouter(tags=["health"])


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


@router.get("/health", summary="Whether all that is needed answers", operation_id="health", responses=problems(401))
def health(behind: Behind, response: Response) -> Health:
    found = {name: _said(behind, name) for name in ("history", "lake", "project", "dagster")}
    ready = all(said in ("ok", "not hosted here") for said in found.values())
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
            return "not hosted here"
        else:
            behind.dagster.instance.get_runs_count()
    except (DqError, OSError, sa.exc.SQLAlchemyError) as error:
        return str(error).splitlines()[0]
    return "ok"
