"""What stands before every answer: who asks is found out, and nobody gets by who is not known, or may not look.

Pure ASGI, since Starlette's BaseHTTPMiddleware holds back streams and does not see WebSockets.
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
    """A server without users was asked for by a name that is not this machine's."""


class Authentication:
    """Lets nobody by who is not known, and nothing change by a cookie alone.

    As long as there are no users, whoever sits at this machine may look.
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
            # The stores are asked in a thread: a database that is slow to answer must not hold up everybody's streams.
            known, caller = await run_sync(self._who, scope, headers)
        except PublishError as error:
            # Who cannot be looked up cannot be let in.
            await _refuse(scope, receive, send, 503, str(error))
        except SQLAlchemyError:
            await _refuse(scope, receive, send, 503, "users: wanted their database to answer, got an error of it")
        except ForeignHost:
            await _refuse(scope, receive, send, 421, "This server answers to localhost alone.")
        except Refused as error:
            await self._note(scope)
            await _refuse(scope, receive, send, 401, str(error))
        else:
            caller = replace(caller, source=source_of(scope)) if caller else None
            scope.setdefault("state", {})["caller"] = caller
            if known and caller is None and scope["path"] not in OPEN:
                await self._ask_to_log_in(scope, receive, send, headers)
            else:
                await self._let_by(caller, headers, scope, receive, send)

    async def _note(self, scope: Scope) -> None:
        """A line about a wrong key or token; of many from one address only about the first ones."""
        source = source_of(scope)
        too_many = self.access.wrong_keys.too_many(source)
        more = {"why": "too many, no more lines of it for now"} if too_many else {}
        if too_many <= 1:
            await run_sync(self.access.log.add, Event("", "key", source=source, result="refused", more=more))

    def _who(self, scope: Scope, headers: Headers) -> tuple[bool, Caller | None]:
        """Whether there is anybody who could log in, and who asks.

        Nobody is looked up for what is open to all: who renews a token may still send the one that has run out.
        """
        if self.access.is_on:
            caller = None if scope["path"] in OPEN else self.access.caller(scope)
            return True, replace(caller, must_enrol=self.access.must_enrol(caller)) if caller else None
        # A page from elsewhere may have had its name point here (DNS rebinding): the browser believes to talk to that
        # site, and would hand it what it reads.
        if not is_loopback(host_of(headers.get("host", ""))):
            raise ForeignHost
        return False, self.access.caller_here(scope)

    async def _let_by(
        self, caller: Caller | None, headers: Headers, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if caller is not None and not may_somewhere(caller.user.grants, Permission.LOOK):
            await _refuse(scope, receive, send, 403, why_not(caller.user.grants, Permission.LOOK))
        elif caller is not None and caller.csrf is not None and not _is_own(scope, headers, caller.csrf):
            await _refuse(scope, receive, send, 403, "wanted a request from this site's own pages")
        elif caller is not None and caller.must_enrol and scope["path"] not in WITHOUT_SECOND_FACTOR:
            if _browses(scope, headers):
                await RedirectResponse("/account/second-factor", 303)(scope, receive, send)
            else:
                said = "wanted somebody with a second factor, got one without: it is set up at /account/second-factor"
                await _refuse(scope, receive, send, 403, said)
        else:
            await self.app(scope, receive, send)

    async def _ask_to_log_in(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        from dq_pipelines.web.auth.login import to_login

        if _browses(scope, headers):
            query = scope["query_string"].decode("latin-1")
            await to_login(scope["path"] + (f"?{query}" if query else ""))(scope, receive, send)
        else:
            await _refuse(scope, receive, send, 401, "wanted somebody who is logged in, or an API key")


def _browses(scope: Scope, headers: Headers) -> bool:
    """Whether somebody looks at a page."""
    if scope["type"] != "http" or scope["method"] != "GET" or "text/html" not in headers.get("accept", ""):
        return False
    return scope["path"].partition("/")[2].partition("/")[0] not in ("api", "apikey")


def _is_own(scope: Scope, headers: Headers, csrf: str) -> bool:
    """Whether a request that comes with a cookie, and may change something, was made by a page of this site.

    Browsers say so themselves (Fetch Metadata), those before 2023 by the Origin; a cookie that is SameSite=Lax is not sent
    by other sites' forms in the first place. What says neither is no browser of today: it has to say the session's token.
    """
    if scope["type"] == "http" and scope["method"] in _SAFE:
        return True
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site == "same-origin"
    if origin is not None:
        return is_of_this_site(origin, headers)
    # Every browser says the Origin when it opens a WebSocket (RFC 6455, 4.1).
    return scope["type"] == "websocket" or hmac.compare_digest(headers.get("x-csrf-token", "").encode(), csrf.encode())


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, said: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": said[:100]})
        return
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    await problem(status, said, headers)(scope, receive, send)
