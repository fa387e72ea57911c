"""Who asks and what they may: the dependencies that every route of the REST API declares. Deny by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from dq_pipelines.security.audit import Event
from dq_pipelines.security.roles import Permission, may_somewhere, why_not
from dq_pipelines.web.auth.access import Caller, caller_of, source_of
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.dagster_client import LOCAL, DagsterHost
from dq_pipelines.web.problem_details import ApiError


def backend_of(connection: HTTPConnection) -> Backend:
    """What this app answers from."""
    found: Backend = connection.app.state.backend
    return found


def asker(connection: HTTPConnection) -> Caller:
    """Who asks; on this machine alone, while there are no users, somebody who may look."""
    return caller_of(connection.scope) or LOCAL


Asker = Annotated[Caller, Depends(asker)]
Behind = Annotated[Backend, Depends(backend_of)]


def rights_of(connection: HTTPConnection) -> Rights:
    """What the caller may do with which tables of the project as its files have it now."""
    return Rights.of(connection.scope, backend_of(connection).site.known().project)


def dagster_of(connection: HTTPConnection) -> DagsterHost:
    """Dagster; raises ApiError (503) where this gateway serves without it."""
    host = backend_of(connection).dagster
    if host is None:
        raise ApiError(503, "wanted Dagster, which this gateway serves without")
    return host


Own = Annotated[Rights, Depends(rights_of)]
Dagster = Annotated[DagsterHost, Depends(dagster_of)]


def somewhere(permission: Permission) -> Callable[[HTTPConnection, Caller], Caller]:
    """A dependency: the caller has this right for some table at least; which one is for the route to ask (`must`)."""

    def check(connection: HTTPConnection, caller: Asker) -> Caller:
        if not may_somewhere(caller.user.grants, permission):
            raise refusal(connection, permission.name.lower(), "", why_not(caller.user.grants, permission))
        return caller

    return check


def note(connection: HTTPConnection, what: str, on: str = "", result: str = "done", **more: object) -> None:
    """One line for the audit log: who did what, on what, from where."""
    who = asker(connection).user.name
    log = backend_of(connection).access.log
    log.add(Event(who, what, on, source_of(connection.scope), result, more))


def refusal(connection: HTTPConnection, what: str, on: str, why: str) -> ApiError:
    """A 403 to raise, once the audit log has a line of it."""
    note(connection, what, on, "refused")
    return ApiError(403, why)


def must(connection: HTTPConnection, rights: Rights, permission: Permission, key: str, what: str) -> None:
    """Raise ApiError (403), with a line in the audit log, unless the caller has this right on this table."""
    if not rights.may(permission, key):
        raise refusal(connection, what, key, rights.why_not(permission, key))
