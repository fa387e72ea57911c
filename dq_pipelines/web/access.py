"""Who asks: by a key or by a session, and what they may. What is done about it for each request belongs in `gate`."""

from __future__ import annotations

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import Scope

from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.keys import Keys
from dq_pipelines.security.sessions import Sessions
from dq_pipelines.security.users import User, Users

COOKIE = "dq_session"


@dataclass(frozen=True)
class Caller:
    """Who asks, and what a request of theirs must say to change something."""

    user: User
    #: of a session; None for a key, which no browser sends by itself
    csrf: str | None = None


class Access:
    """The stores that say who is who."""

    def __init__(self, users: Users, log: AuditLog) -> None:
        self.users = users
        self.log = log
        self.sessions = Sessions(users)
        self.keys = Keys(users)
        self._on = False

    @property
    def is_on(self) -> bool:
        """Whether there is anybody who could log in; once there is, it stays so until the server is started anew."""
        self._on = self._on or not self.users.is_empty()
        return self._on

    def begin(self, name: str, password: str) -> str:
        """A session's secret; raises Refused."""
        return self.sessions.begin(self.users.let_in(name, password))

    def caller(self, headers: Headers) -> Caller | None:
        """Who asks, by key or by session; raises Refused for a key that lets nobody in."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = headers.get("x-api-key") or (token if scheme.lower() == "bearer" else "")
        if key:
            return Caller(self.keys.let_in(key))
        session = self.sessions.of(_cookie(headers.get("cookie", "")))
        return Caller(session.user, session.csrf) if session else None


def caller_of(scope: Scope) -> Caller | None:
    """Who asks, as the gate has found out; None for whoever sits at this machine, as long as there are no users."""
    found = scope.get("state", {}).get("caller")
    return found if isinstance(found, Caller) else None


def source_of(scope: Scope) -> str:
    """The address that a request came from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _cookie(header: str) -> str | None:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None
