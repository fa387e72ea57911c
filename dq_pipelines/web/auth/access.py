"""Identifies callers by API key, token or session, and begins and ends their logins."""

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
from dq_pipelines.security.roles import Grant, Role
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

#: Seconds until a wrong name or password is refused: longer than the check takes, so that the time reveals nothing.
REFUSING = 0.25

#: Passwords that are verified in parallel: each takes 64 MiB, and a flood of them must not occupy all threads.
_AT_ONCE = 4
#: Delayed login attempts for one name that may wait in line; more are refused.
_IN_LINE = 8
_ANYWHERE = Origin()
#: Endings of paths that pages poll by themselves.
_NEWS = ("/events", "/pulse")


@dataclass(frozen=True)
class Caller:
    """The authenticated caller of a request."""

    user: User
    #: the CSRF token of a session; None for a key or a token, which browsers do not send by themselves
    csrf: str | None = None
    #: the client's address
    source: str = ""
    #: `session`, `token` or `key`; "" for none of these
    by: str = ""
    #: the id of the login in the list of sessions; "" for a key
    session: str = ""
    #: whether the caller must set up a second factor before anything else
    must_enrol: bool = False


#: The caller while there are no users: on this machine only, and a viewer.
LOCAL = Caller(User("", frozenset({Grant(Role.VIEWER)})))


@dataclass
class _Line:
    """The delayed login attempts for one name, which run one after the other."""

    turn: anyio.Lock = field(default_factory=anyio.Lock)
    length: int = 0


class Access:
    """The stores of users, sessions, keys and tokens."""

    def __init__(self, state: State, oidc: Callable[[], OpenIdConnect | None] = lambda: None) -> None:
        self.users = users = Users(state.url)
        self.log = AuditLog(state)
        #: the identity provider for logins, as in the project's files now; None for none
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
        """Whether anybody can log in. Once true, it stays so until the server restarts."""
        self._on = self._on or not self.users.is_empty() or self.oidc() is not None
        return self._on

    async def authenticate(self, name: str, password: str, origin: Origin = _ANYWHERE) -> User:
        """The user with this name and password. Raises Refused, after the same time for every reason."""
        began = time.monotonic()
        try:
            async with self._in_line(self.users.throttle, name, origin):
                return await run_sync(self.users.authenticate, name, password, origin, limiter=self._verifying)
        except Refused:
            # Checking a name that exists takes longer than one that does not.
            await anyio.sleep(max(0.0, began + REFUSING - time.monotonic()))
            raise

    async def check_code(self, name: str, code: str, origin: Origin) -> str:
        """Use a code of the user's second factor. Returns `totp` or `recovery`; raises Refused."""
        began = time.monotonic()
        try:
            async with self._in_line(self.second_factor.throttle, name, origin):
                return await run_sync(self.second_factor.check, name, code, origin)
        except Refused:
            await anyio.sleep(max(0.0, began + REFUSING - time.monotonic()))
            raise

    def must_enrol(self, caller: Caller) -> bool:
        """Whether the caller must set up a second factor first. Keys are exempt: they are made on the server itself."""
        if caller.by not in ("session", "token") or caller.user.created_at is None:
            return False
        return self.requirement.covers(caller.user) and not self.second_factor.is_on(caller.user.name)

    @asynccontextmanager
    async def _in_line(self, throttle: Throttle, name: str, origin: Origin) -> AsyncIterator[None]:
        """Delay attempts from unknown origins on a name with many failures, and run them one after the other."""
        seconds = await run_sync(throttle.delay, name, origin)
        if not seconds:
            yield
            return
        line = self._lines.setdefault(name, _Line())
        if line.length >= _IN_LINE:
            raise Refused("too many login attempts for one name at once")
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
        """The origin of a login attempt for this name: network and known device."""
        return Origin(network_of(source_of(scope)), self.devices.of(cookie.read_cookie(scope, cookie.DEVICE), name))

    def caller(self, scope: Scope) -> Caller | None:
        """The caller, by key, token or session; None for none. Raises Refused for an invalid key or token."""
        headers = Headers(scope=scope)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        key = headers.get("x-api-key") or headers.get("apikey") or (bearer if is_key(bearer) else "")
        if key:
            return Caller(self.keys.authenticate(key), by="key")
        if bearer:
            user, login = self.tokens.login_of(bearer)
            return Caller(user, by="token", session=login)
        return _caller_in(self.sessions.of(cookie.read_cookie(scope), by_hand=not _is_polling(scope)))

    def caller_here(self, scope: Scope) -> Caller | None:
        """The caller while there are no users: the one who opened the bootstrap link, else None."""
        return _caller_in(self.once.of(cookie.read_cookie(scope)))

    def begin(self, scope: Scope, user: User) -> str:
        """Begin a session for the browser of this request. Returns the secret for its cookie."""
        return self.sessions.begin(user, source_of(scope), Headers(scope=scope).get("user-agent", ""))

    def open_sessions(self, user: User) -> list[OpenSession]:
        """The user's active logins."""
        return [*self.sessions.of_user(user), *self.tokens.of_user(user)]

    def end_session(self, user: str, name: str) -> bool:
        """End the user's login with this id. Returns whether there was one."""
        return self.sessions.end_named(user, name) or self.tokens.end_named(user, name)

    def end_other_sessions(self, user: str, but: str) -> None:
        """End every login of the user except the one with this id."""
        self.sessions.end_others(user, but)
        self.tokens.end_others(user, but)

    def end(self, scope: Scope) -> None:
        """End the session of this request, if any."""
        secret = cookie.read_cookie(scope)
        self.once.end(secret)
        self.sessions.end(secret)


def _caller_in(session: Session | None) -> Caller | None:
    return Caller(session.user, session.csrf, by="session", session=session.id) if session else None


def _is_polling(scope: Scope) -> bool:
    """Whether a page polls by itself, which is no sign that its user is present."""
    return scope["type"] == "websocket" or str(scope["path"]).endswith(_NEWS)


def caller_of(scope: Scope) -> Caller | None:
    """The caller that the authentication middleware found; None for a caller on this machine while there are no users."""
    found = scope.get("state", {}).get("caller")
    return found if isinstance(found, Caller) else None


def source_of(scope: Scope) -> str:
    """The client address of a request; "" if unknown."""
    client = scope.get("client")
    return str(client[0]) if client else ""
