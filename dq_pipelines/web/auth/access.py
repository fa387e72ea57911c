"""Who asks: by a key, a token or a session, and what they may. What is done about it for each request belongs in `authentication`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.types import Scope

from dq_pipelines.errors import Refused
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.devices import Devices
from dq_pipelines.security.keys import Keys, is_key
from dq_pipelines.security.oidc import OpenIdConnect
from dq_pipelines.security.second_factor import Requirement, SecondFactor
from dq_pipelines.security.sessions import OpenSession, Session, Sessions
from dq_pipelines.security.state import State
from dq_pipelines.security.throttling import Origin, Throttle
from dq_pipelines.security.tokens import Tokens
from dq_pipelines.security.users import User, Users
from dq_pipelines.web.auth import cookie
from dq_pipelines.web.auth.bootstrap_link import BootstrapLink
from dq_pipelines.web.auth.origins import network_of
from dq_pipelines.web.auth.rate_limit import RateLimit

#: Seconds after which a wrong name or password is told: longer than it takes to find out, so that it tells nothing.
REFUSING = 0.25

#: Passwords that are verified at once: each takes 64 MiB, and a flood of them must not take every thread.
_AT_ONCE = 4
#: Strangers' tries of one name that wait for each other; more are refused.
_IN_LINE = 8
_ANYWHERE = Origin()
#: What pages ask for again and again by themselves.
_NEWS = ("/events", "/pulse")


@dataclass(frozen=True)
class Caller:
    """Who asks, and what a request of theirs must say to change something."""

    user: User
    #: of a session; None for a key or a token, which no browser sends by itself
    csrf: str | None = None
    #: the address that they ask from
    source: str = ""
    #: `session`, `token` or `key`; "" for a caller that is none of these
    by: str = ""
    #: what their login is called in the list of their sessions; "" for a key
    session: str = ""
    #: whether they may do nothing yet but set up a second factor
    must_enrol: bool = False


@dataclass
class _Line:
    """The tries of one name that wait for each other."""

    turn: anyio.Lock = field(default_factory=anyio.Lock)
    length: int = 0


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
        self.devices = Devices(users)
        self.second_factor = SecondFactor(users)
        self.requirement = Requirement.from_environment()
        self.tries = RateLimit()
        self.wrong_keys = RateLimit()
        self.once = BootstrapLink()
        self._on = False
        self._lines: dict[str, _Line] = {}
        self._verifying = anyio.CapacityLimiter(_AT_ONCE)

    @property
    def is_on(self) -> bool:
        """Whether there is anybody who could log in; once there is, it stays so until the server is started anew."""
        self._on = self._on or not self.users.is_empty() or self.oidc() is not None
        return self._on

    async def let_in(self, name: str, password: str, origin: Origin = _ANYWHERE) -> User:
        """Whose name and password these are; raises Refused, whatever the reason after the same time."""
        began = time.monotonic()
        try:
            async with self._in_line(self.users.throttle, name, origin):
                return await run_sync(self.users.let_in, name, password, origin, limiter=self._verifying)
        except Refused:
            # A name that there is costs more than one that there is not.
            await anyio.sleep(max(0.0, began + REFUSING - time.monotonic()))
            raise

    async def check_code(self, name: str, code: str, origin: Origin) -> str:
        """Take a code of somebody's second factor; gives `totp` or `recovery`, raises Refused."""
        began = time.monotonic()
        try:
            async with self._in_line(self.second_factor.throttle, name, origin):
                return await run_sync(self.second_factor.check, name, code, origin)
        except Refused:
            await anyio.sleep(max(0.0, began + REFUSING - time.monotonic()))
            raise

    def must_enrol(self, caller: Caller) -> bool:
        """Whether somebody may do nothing yet but set up a second factor. A key was made on the server's own machine."""
        if caller.by not in ("session", "token") or caller.user.created_at is None:
            return False
        return self.requirement.covers(caller.user) and not self.second_factor.is_on(caller.user.name)

    @asynccontextmanager
    async def _in_line(self, throttle: Throttle, name: str, origin: Origin) -> AsyncIterator[None]:
        """Where a name was tried often, strangers' tries come one after the other, each after a while."""
        seconds = await run_sync(throttle.delay, name, origin)
        if not seconds:
            yield
            return
        line = self._lines.setdefault(name, _Line())
        if line.length >= _IN_LINE:
            raise Refused("wanted fewer tries of one name at once")
        line.length += 1
        try:
            async with line.turn:
                await anyio.sleep(seconds)
                yield
        finally:
            line.length -= 1
            if not line.length:
                self._lines.pop(name, None)

    def origin(self, scope: Scope, name: str) -> Origin:
        """Where a try of this name comes from."""
        return Origin(network_of(source_of(scope)), self.devices.of(cookie.held(scope, cookie.DEVICE), name))

    def caller(self, scope: Scope) -> Caller | None:
        """Who asks, by key, token or session; raises Refused for a key or token that lets nobody in."""
        headers = Headers(scope=scope)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        key = headers.get("x-api-key") or headers.get("apikey") or (bearer if is_key(bearer) else "")
        if key:
            return Caller(self.keys.let_in(key), by="key")
        if bearer:
            user, login = self.tokens.login_of(bearer)
            return Caller(user, by="token", session=login)
        return _in(self.sessions.of(cookie.held(scope), by_hand=not _asks_by_itself(scope)))

    def caller_here(self, scope: Scope) -> Caller | None:
        """Who asks as long as there are no users: who has opened the link, or None."""
        return _in(self.once.of(cookie.held(scope)))

    def begin(self, scope: Scope, user: User) -> str:
        """A new session of the browser that this request comes from; gives the secret for its cookie."""
        return self.sessions.begin(user, source_of(scope), Headers(scope=scope).get("user-agent", ""))

    def open_sessions(self, user: User) -> list[OpenSession]:
        """Every login of this user that goes on."""
        return [*self.sessions.of_user(user), *self.tokens.of_user(user)]

    def end_session(self, user: str, name: str) -> bool:
        """End the login of this user that is called so; gives whether there was one."""
        return self.sessions.end_named(user, name) or self.tokens.end_named(user, name)

    def end_other_sessions(self, user: str, but: str) -> None:
        """End every login of this user but the one that is called so."""
        self.sessions.end_others(user, but)
        self.tokens.end_others(user, but)

    def end(self, scope: Scope) -> None:
        """End the session that a request comes with, if any."""
        secret = cookie.held(scope)
        self.once.end(secret)
        self.sessions.end(secret)


def _in(session: Session | None) -> Caller | None:
    return Caller(session.user, session.csrf, by="session", session=session.id) if session else None


def _asks_by_itself(scope: Scope) -> bool:
    """Whether a page asks for news by itself: somebody who has left it open is not there."""
    return scope["type"] == "websocket" or str(scope["path"]).endswith(_NEWS)


def caller_of(scope: Scope) -> Caller | None:
    """Who asks, as the gate has found out; None for whoever sits at this machine, as long as there are no users."""
    found = scope.get("state", {}).get("caller")
    return found if isinstance(found, Caller) else None


def source_of(scope: Scope) -> str:
    """The address that a request came from."""
    client = scope.get("client")
    return str(client[0]) if client else ""
