"""FastAPI dependencies of the routes: the caller, permissions, the backend, Dagster, and the audit log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from dq_pipelines.errors import ConfigError, DqError
from dq_pipelines.security.audit import Event
from dq_pipelines.security.roles import Grant, Permission, may, may_somewhere, why_not
from dq_pipelines.web.auth.access import Caller, caller_of, source_of
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.dagster_client import LOCAL, DagsterHost
from dq_pipelines.web.problem_details import ApiError


def backend_of(connection: HTTPConnection) -> Backend:
    """The backend of this app."""
    backend: Backend = connection.app.state.backend
    return backend


def asker(connection: HTTPConnection) -> Caller:
    """The caller; while there are no users, a viewer on this machine."""
    return caller_of(connection.scope) or LOCAL


Asker = Annotated[Caller, Depends(asker)]
Behind = Annotated[Backend, Depends(backend_of)]


def rights_of(connection: HTTPConnection) -> Rights:
    """The caller's rights on the tables of the current project."""
    return Rights.of(connection.scope, backend_of(connection).site.known().project)


def dagster_of(connection: HTTPConnection) -> DagsterHost:
    """Dagster. Raises ApiError (503) if this gateway serves without it."""
    host = backend_of(connection).dagster
    if host is None:
        raise ApiError(503, "wanted Dagster, but this gateway serves without it")
    return host


Own = Annotated[Rights, Depends(rights_of)]
Dagster = Annotated[DagsterHost, Depends(dagster_of)]


def somewhere(permission: Permission) -> Callable[[HTTPConnection, Caller], Caller]:
    """A dependency: the caller has this permission on some table at least. The route checks the table itself (`must`)."""
    return _with(permission, may_somewhere)


def everywhere(permission: Permission) -> Callable[[HTTPConnection, Caller], Caller]:
    """A dependency: the caller has this permission on all tables, and on what concerns no table."""
    return _with(permission, may)


def _with(
    permission: Permission, allows: Callable[[Iterable[Grant], Permission], bool]
) -> Callable[[HTTPConnection, Caller], Caller]:
    def check(connection: HTTPConnection, caller: Asker) -> Caller:
        grants = caller.user.grants
        if not allows(grants, permission):
            raise refusal(connection, permission.name.lower(), _request(connection), why_not(grants, permission))
        return caller

    return check


def _request(connection: HTTPConnection) -> str:
    """The method and the path of a request, for the audit log: the route has not named its object yet."""
    return f"{connection.scope.get('method', 'WebSocket')} {connection.scope['path']}"[:300]


def note(connection: HTTPConnection, what: str, on: str = "", result: str = "done", **more: object) -> None:
    """Write a line to the audit log: who did what, to what, from where."""
    who = asker(connection).user.name
    log = backend_of(connection).access.log
    log.add(Event(who, what, on, source_of(connection.scope), result, more))


def refusal(connection: HTTPConnection, what: str, on: str, why: str) -> ApiError:
    """Log a refusal in the audit log, and return the 403 to raise."""
    note(connection, what, on, "refused")
    return ApiError(403, why)


def must(connection: HTTPConnection, rights: Rights, permission: Permission, key: str, what: str) -> None:
    """Raise ApiError (403), and log it, unless the caller has this permission on this table."""
    if not rights.may(permission, key):
        raise refusal(connection, what, key, rights.why_not(permission, key))


@contextmanager
def refusals_noted(
    connection: HTTPConnection, what: str, on: str, *, quotes: bool = True, **more: object
) -> Iterator[None]:
    """Write a line to the audit log for what is refused within the block; refusals for rights have one already.

    Without `quotes`, no error is quoted that may hold what the caller has typed.
    """
    try:
        yield
    except ApiError as error:
        if error.status != 403:
            note(connection, what, on, "refused", why=error.detail[:300], **more)
        raise
    except DqError as error:
        why = str(error.problems[0]) if isinstance(error, ConfigError) else str(error)
        why = why if quotes else "the request is not valid, or the tables cannot be read"
        note(connection, what, on, "refused", why=why[:300], **more)
        raise
