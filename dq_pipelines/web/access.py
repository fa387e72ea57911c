"""Who asks: by a key, a token or a session, and what they may. What is done about it for each request belongs in `gate`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio
from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.types import Scope

from dq_pipelines.errors import Refused
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.keys import Keys, is_key
from dq_pipelines.security.oidc import OpenIdConnect
from dq_pipelines.security.sessions import Session, Sessions
from dq_pipelines.security.state import State
from dq_pipelines.security.tokens import Tokens
from dq_pipelines.security.users import User, Users
from dq_pipelines.web import cookie
from dq_pipelines.web.once import Once
from dq_pipelines.web.tries import Tries

#: Seconds after which a wrong name or password is told: longer than it takes to find out, so that it tells nothing.
REFUSING = 0.25

#: Passwords that are verified at once: each takes 64 MiB, and a flood of them must not take every thread.
_AT_ONCE = 4


@dataclass(frozen=True)
class Caller:
    """Who asks, and what a request of theirs must say to change something."""

    user: User
    #: of a session; None for a key or a token, which no browser sends by itself
    csrf: str | None = None
    #: the address that they ask from
    source: str = ""


class Access:
    """The stores that say who is who."""

    def __init__(self, state: State, oidc: Callable[[], OpenIdConnect | None] = lambda: None) -> None:
        self.users = users = Users(state.url)
        self.log = AuditLog(state)
        #: the identity provider by which people may log in, as the project's files have it now
        self.oidc = oidc
        self.sessions = Sessions(users)
        self.keys = Keys(users)
        self.tokens = Tokens.of(users, state)
        self.tries = Tries()
        self.wrong_keys = Tries()
        self.once = Once()
        self._on = False
        self._verifying = anyio.CapacityLimiter(_AT_ONCE)

    @property
    def is_on(self) -> bool:
        """Whether there is anybody who could log in; once there is, it stays so until the server is started anew."""
        self._on = self._on or not self.users.is_empty() or self.oidc() is not None
        return self._on

    async def let_in(self, name: str, password: str) -> User:
        """Whose name and password these are; raises Refused, whatever the reason after the same time."""
        began = time.monotonic()
        try:
            return await run_sync(self.users.let_in, name, password, limiter=self._verifying)
        except Refused:
            # A name that there is costs more than one that there is not: its wrong tries are counted.
            await anyio.sleep(max(0.0, began + REFUSING - time.monotonic()))
            raise

    def caller(self, scope: Scope) -> Caller | None:
        """Who asks, by key, token or session; raises Refused for a key or token that lets nobody in."""
        headers = Headers(scope=scope)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        key = headers.get("x-api-key") or headers.get("apikey") or (bearer if is_key(bearer) else "")
        if key:
            return Caller(self.keys.let_in(key))
        if bearer:
            return Caller(self.tokens.let_in(bearer))
        return _in(self.sessions.of(cookie.held(scope)))

    def caller_here(self, scope: Scope) -> Caller | None:
        """Who asks as long as there are no users: who has opened the link, or None."""
        return _in(self.once.of(cookie.held(scope)))

    def end(self, scope: Scope) -> None:
        """End the session that a request comes with, if any."""
        secret = cookie.held(scope)
        self.once.end(secret)
        self.sessions.end(secret)


def _in(session: Session | None) -> Caller | None:
    return Caller(session.user, session.csrf) if session else None


def caller_of(scope: Scope) -> Caller | None:
    """Who asks, as the gate has found out; None for whoever sits at this machine, as long as there are no users."""
    found = scope.get("state", {}).get("caller")
    return found if isinstance(found, Caller) else None


def source_of(scope: Scope) -> str:
    """The address that a request came from."""
    client = scope.get("client")
    return str(client[0]) if client else ""
