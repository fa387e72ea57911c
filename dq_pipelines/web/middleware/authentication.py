"""Authentication middleware: finds the caller of every request, and rejects unknown callers.

It is pure ASGI, since Starlette's BaseHTTPMiddleware buffers streams and does not see WebSockets.
"""

from __future__ import annotations

import hmac
from dataclasses import replace

from anyio.to_thread import run_sync
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from dq_pipelines.errors import PublishError, Refused
from dq_pipelines.security.audit import Event
from dq_pipelines.security.roles import Permission, may_somewhere, why_not
from dq_pipelines.web.auth.access import Access, Caller, source_of
from dq_pipelines.web.auth.origins import host_of, is_loopback, is_of_this_site
from dq_pipelines.web.open_routes import LIVE, OPEN, WITHOUT_SECOND_FACTOR
from dq_pipelines.web.problem_details import problem

_SAFE = ("GET", "HEAD", "OPTIONS")


class ForeignHost(Exception):
    """A request to a server without users names a host other than this machine."""


class Authentication:
    """Rejects unknown callers, and changes that a cookie alone authorizes (CSRF).

    Without any users, callers on this machine may look at everything.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in LIVE:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            # In a thread: a slow database must not block the streams of others.
            has_users, caller = await run_sync(self._identify, scope, headers)
        except PublishError as error:
            # A caller who cannot be looked up is rejected.
            await _refuse(scope, receive, send, 503, str(error))
        except SQLAlchemyError:
            await _refuse(scope, receive, send, 503, "users: wanted an answer from their database, got an error")
        except ForeignHost:
            await _refuse(scope, receive, send, 421, "This server only answers requests to localhost.")
        except Refused as error:
            await self._note(scope)
            await _refuse(scope, receive, send, 401, str(error))
        else:
            caller = replace(caller, source=source_of(scope)) if caller else None
            scope.setdefault("state", {})["caller"] = caller
            if has_users and caller is None and scope["path"] not in OPEN:
                await self._ask_to_log_in(scope, receive, send, headers)
            else:
                await self._authorize(caller, headers, scope, receive, send)

    async def _note(self, scope: Scope) -> None:
        """Log a wrong key or token; of many from one address only the first ones."""
        source = source_of(scope)
        too_many = self.access.wrong_keys.too_many(source)
        more = {"why": "too many; further ones are not logged for now"} if too_many else {}
        if too_many <= 1:
            await run_sync(self.access.log.add, Event("", "key", source=source, result="refused", more=more))

    def _identify(self, scope: Scope, headers: Headers) -> tuple[bool, Caller | None]:
        """Whether there are users, and the caller.

        Open paths do not look up the caller: a client that renews a token may still send its expired one.
        """
        if self.access.is_on:
            caller = None if scope["path"] in OPEN else self.access.caller(scope)
            return True, replace(caller, must_enrol=self.access.must_enrol(caller)) if caller else None
        # DNS rebinding: another site's name may resolve to this machine, and the browser would give that site our answers.
        if not is_loopback(host_of(headers.get("host", ""))):
            raise ForeignHost
        return False, self.access.caller_here(scope)

    async def _authorize(
        self, caller: Caller | None, headers: Headers, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if caller is not None and not may_somewhere(caller.user.grants, Permission.LOOK):
            await _refuse(scope, receive, send, 403, why_not(caller.user.grants, Permission.LOOK))
        elif caller is not None and caller.csrf is not None and not _is_own(scope, headers, caller.csrf):
            await _refuse(scope, receive, send, 403, "wanted a request from a page of this site")
        elif caller is not None and caller.must_enrol and scope["path"] not in WITHOUT_SECOND_FACTOR:
            if _browses(scope, headers):
                await RedirectResponse("/account/second-factor", 303)(scope, receive, send)
            else:
                why = "a second factor is required: set it up at /account/second-factor"
                await _refuse(scope, receive, send, 403, why)
        else:
            await self.app(scope, receive, send)

    async def _ask_to_log_in(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        from dq_pipelines.web.auth.login import to_login

        if _browses(scope, headers):
            query = scope["query_string"].decode("latin-1")
            await to_login(scope["path"] + (f"?{query}" if query else ""))(scope, receive, send)
        else:
            await _refuse(scope, receive, send, 401, "authentication required: log in, or send an API key")


def _browses(scope: Scope, headers: Headers) -> bool:
    """Whether a browser asks for a page."""
    if scope["type"] != "http" or scope["method"] != "GET" or "text/html" not in headers.get("accept", ""):
        return False
    return scope["path"].partition("/")[2].partition("/")[0] not in ("api", "apikey")


def _is_own(scope: Scope, headers: Headers, csrf: str) -> bool:
    """Whether a request with a cookie comes from a page of this site; safe methods always count as such.

    Browsers send Fetch Metadata, those before 2023 the Origin. SameSite=Lax cookies are not sent by other sites' forms in
    the first place. A client that sends neither is no current browser, and has to send the session's CSRF token.
    """
    if scope["type"] == "http" and scope["method"] in _SAFE:
        return True
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site == "same-origin"
    if origin is not None:
        return is_of_this_site(origin, headers)
    # Every browser sends the Origin when it opens a WebSocket (RFC 6455, 4.1).
    return scope["type"] == "websocket" or hmac.compare_digest(headers.get("x-csrf-token", "").encode(), csrf.encode())


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": why[:100]})
        return
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    await problem(status, why, headers)(scope, receive, send)
