"""One's own sessions: where one is logged in, and ending that."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from dq_pipelines.security.sessions import OpenSession
from dq_pipelines.web.api.dependencies import Asker, Behind, note
from dq_pipelines.web.auth.access import Caller
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(prefix="/sessions", tags=["auth"])

Name = Annotated[str, Path(max_length=64, examples=["5f2b6c1d9e0a7b34"])]


class OwnSession(BaseModel):
    """A login that goes on."""

    id: str = Field(description="What it is called here; it lets nobody in.", examples=["5f2b6c1d9e0a7b34"])
    kind: Literal["browser", "token"]
    device: str = Field(description="What the browser calls itself; empty for a token.", examples=["Mozilla/5.0 …"])
    address: str = Field(description="Where it began; empty for a token.", examples=["192.0.2.7"])
    created_at: datetime
    last_seen_at: datetime
    ends_at: datetime = Field(description="When it ends if nothing more is asked.")
    current: bool = Field(description="Whether this request came by it.")


class OwnSessions(BaseModel):
    """Every login of the caller that goes on."""

    items: list[OwnSession]


@router.get("", summary="Where one is logged in", operation_id="sessions")
def sessions(caller: Asker, behind: Behind) -> OwnSessions:
    return OwnSessions(items=[_told(one, caller) for one in behind.access.open_sessions(caller.user)])


@router.delete(
    "/{id}",
    summary="End one of one's sessions",
    operation_id="end_session",
    status_code=204,
    responses=problems(403, 404),
)
def end_session(id: Name, request: Request, caller: Asker, behind: Behind) -> None:
    """A key ends none: what a program was given must not log its owner out."""
    _must_be_logged_in(caller)
    if not behind.access.end_session(caller.user.name, id):
        raise ApiError(404, f"sessions: wanted one of your own that goes on, got '{id}'")
    note(request, "session.end", id)


@router.delete(
    "",
    summary="End all of one's other sessions",
    operation_id="end_other_sessions",
    status_code=204,
    responses=problems(403),
)
def end_other_sessions(request: Request, caller: Asker, behind: Behind) -> None:
    """Every login of the caller but the one that this request came by."""
    _must_be_logged_in(caller)
    behind.access.end_other_sessions(caller.user.name, caller.session)
    note(request, "session.end", "others")


def _must_be_logged_in(caller: Caller) -> None:
    if not caller.session:
        raise ApiError(403, "sessions: wanted a request by a session or a token, got one by a key")


def _told(one: OpenSession, caller: Caller) -> OwnSession:
    return OwnSession(
        id=one.id,
        kind=one.kind,
        device=one.agent,
        address=one.address,
        created_at=one.created_at,
        last_seen_at=one.seen_at,
        ends_at=one.ends_at,
        current=bool(caller.session) and one.id == caller.session,
    )
