"""Who asks: found out for every request before anything answers, and what they may, for whoever answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from dq_pipelines.errors import PublishError, Refused
from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.security.keys import Keys
from dq_pipelines.security.roles import Permission, may_somewhere, why_not
from dq_pipelines.security.sessions import Sessions
from dq_pipelines.security.users import User, Users
from dq_pipelines.web.guard import LoopbackOnly

COOKIE = "dq_session"

#: Asked for without being logged in.
_OPEN = ("/login", "/login/style.css", "/health", "/api")
_SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Caller:
    """Who asks, and what a request of theirs must say to change something."""

    user: User
    #: of a session; None for a key, which no browser sends by itself
    csrf: str | None = None


@dataclass(frozen=True)
class Access:
    """The stores that say who is who."""

    users: Users
    log: AuditLog

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(self.users)

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.users)

    @property
    def is_on(self) -> bool:
        """Whether there is anybody who could log in; once there is, it stays so until the server is started anew."""
        if not self._on:
            self._on.extend([True] if not self.users.is_empty() else [])
        return bool(self._on)

    @cached_property
    def _on(self) -> list[bool]:
        return []

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


class Gate:
    """Lets nobody by who is not known, and nothing change by a cookie alone."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not self.access.is_on:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            caller = self.access.caller(headers)
        except Refused as error:
            self.access.log.add(Event("", "key", source=source_of(scope), result="refused"))
            await _refuse(scope, receive, send, 401, str(error))
            return
        scope.setdefault("state", {})["caller"] = caller
        if caller is None and scope["path"] not in _OPEN:
            await self._ask_to_log_in(scope, receive, send, headers)
        elif caller is not None and not may_somewhere(caller.user.grants, Permission.LOOK):
            await _refuse(scope, receive, send, 403, why_not(caller.user.grants, Permission.LOOK))
        elif caller is not None and caller.csrf is not None and not _is_own(scope, headers):
            await _refuse(scope, receive, send, 403, "wanted a request from this site's own pages")
        else:
            await self.app(scope, receive, send)

    async def _ask_to_log_in(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        from dq_pipelines.web.login import to_login

        if scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            query = scope["query_string"].decode("latin-1")
            await to_login(scope["path"] + (f"?{query}" if query else ""))(scope, receive, send)
        else:
            await _refuse(scope, receive, send, 401, "wanted somebody who is logged in, or an API key")


class LoopbackUntil:
    """Until there are users, answers this machine alone, and who asked for it by name."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access
        self._alone = LoopbackOnly(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            known = self.access.is_on
        except PublishError as error:
            # Who cannot be looked up cannot be let in.
            await _refuse(scope, receive, send, 503, str(error))
            return
        await (self.app if known else self._alone)(scope, receive, send)


def caller_of(scope: Scope) -> Caller | None:
    """Who asks, as the gate has found out."""
    found = scope.get("state", {}).get("caller")
    return found if isinstance(found, Caller) else None


def source_of(scope: Scope) -> str:
    """The address that a request came from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _is_own(scope: Scope, headers: Headers) -> bool:
    """Whether a request that comes with a cookie, and may change something, was made by a page of this site.

    Browsers say so themselves (Fetch Metadata), those before 2023 by the Origin; a cookie that is SameSite=Lax is not sent
    by other sites' forms in the first place.
    """
    if scope["type"] == "http" and scope["method"] in _SAFE:
        return True
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin", "")
    return not origin or origin.partition("://")[2] == headers.get("host", "")


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, said: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": said[:100]})
        return
    await JSONResponse({"error": said}, status)(scope, receive, send)


def _cookie(header: str) -> str | None:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None
