"""Who asks and what they may: the dependencies that every route of the REST API declares. Deny by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from dq_pipelines.security.audit import Event
from dq_pipelines.security.roles import Permission, may, may_somewhere, why_not
from dq_pipelines.web.access import Caller, caller_of, source_of
from dq_pipelines.web.api.errors import ApiError
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.dagster_ui import LOCAL


def backend_of(connection: HTTPConnection) -> Backend:
    """What this app answers from."""
    found: Backend = connection.app.state.backend
    return found


def asker(connection: HTTPConnection) -> Caller:
    """Who asks; on this machine alone, while there are no users, somebody who may look."""
    return caller_of(connection.scope) or LOCAL


Asker = Annotated[Caller, Depends(asker)]
Behind = Annotated[Backend, Depends(backend_of)]


def somewhere(permission: Permission) -> Callable[[Caller], Caller]:
    """A dependency: the caller has this right for some table at least; which one is for the route to ask (`must`)."""

    def check(caller: Asker) -> Caller:
        if not may_somewhere(caller.user.grants, permission):
            raise ApiError(403, why_not(caller.user.grants, permission))
        return caller

    return check


def everywhere(permission: Permission) -> Callable[[Caller], Caller]:
    """A dependency: the caller has this right for everything."""

    def check(caller: Asker) -> Caller:
        if not may(caller.user.grants, permission):
            raise ApiError(403, why_not(caller.user.grants, permission))
        return caller

    return check


def note(connection: HTTPConnection, what: str, on: str = "", result: str = "done", **more: object) -> None:
    """One line for the audit log: who did what, on what, from where."""
    who = asker(connection).user.name
    log = backend_of(connection).access.log
    log.add(Event(who, what, on, source_of(connection.scope), result, more))
