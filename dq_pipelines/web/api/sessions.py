"""Lists and ends the caller's own sessions."""

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
    """An active login of the caller."""

    id: str = Field(description="Its id; it is no secret.", examples=["5f2b6c1d9e0a7b34"])
    kind: Literal["browser", "token"]
    device: str = Field(description="The browser's User-Agent; empty for a token.", examples=["Mozilla/5.0 …"])
    address: str = Field(description="The client's address when it began; empty for a token.", examples=["192.0.2.7"])
    created_at: datetime
    last_seen_at: datetime
    ends_at: datetime = Field(description="When it ends without further requests.")
    current: bool = Field(description="Whether this request uses it.")


class OwnSessions(BaseModel):
    """The active logins of the caller."""

    items: list[OwnSession]


@router.get("", summary="The caller's active logins", operation_id="sessions")
def sessions(caller: Asker, behind: Behind) -> OwnSessions:
    return OwnSessions(items=[_line(session, caller) for session in behind.access.open_sessions(caller.user)])


@router.delete(
    "/{id}",
    summary="End one of the caller's sessions",
    operation_id="end_session",
    status_code=204,
    responses=problems(403, 404),
)
def end_session(id: Name, request: Request, caller: Asker, behind: Behind) -> None:
    """An API key cannot end sessions: a program's key must not log its owner out."""
    _must_be_logged_in(caller)
    if not behind.access.end_session(caller.user.name, id):
        raise ApiError(404, f"sessions: wanted an active session of yours, got '{id}'")
    note(request, "session.end", id)


@router.delete(
    "",
    summary="End all other sessions of the caller",
    operation_id="end_other_sessions",
    status_code=204,
    responses=problems(403),
)
def end_other_sessions(request: Request, caller: Asker, behind: Behind) -> None:
    """End every login of the caller except the one of this request."""
    _must_be_logged_in(caller)
    behind.access.end_other_sessions(caller.user.name, caller.session)
    note(request, "session.end", "others")


def _must_be_logged_in(caller: Caller) -> None:
    if not caller.session:
        raise ApiError(403, "sessions: wanted a request with a session or a token, got one with an API key")


def _line(session: OpenSession, caller: Caller) -> OwnSession:
    return OwnSession(
        id=session.id,
        kind=session.kind,
        device=session.agent,
        address=session.address,
        created_at=session.created_at,
        last_seen_at=session.seen_at,
        ends_at=session.ends_at,
        current=bool(caller.session) and session.id == caller.session,
    )
