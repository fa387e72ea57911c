"""Who may go through which of Dagster's routes: those beside GraphQL ask nobody by themselves."""

from __future__ import annotations

import html
from collections.abc import Mapping

from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.security.roles import Permission, may, may_somewhere, why_not
from dq_pipelines.web.auth.access import Caller, caller_of, source_of
from dq_pipelines.web.auth.origins import is_of_this_site
from dq_pipelines.web.dagster_client.rights import LOCAL

#: Every route of Dagster's that is served, and what it takes. GraphQL asks for more by itself.
ROUTES: Mapping[str, Permission] = {
    "/": Permission.LOOK,
    "/{path:path}": Permission.LOOK,
    "/graphql": Permission.LOOK,
    "/server_info": Permission.LOOK,
    "/dagit_info": Permission.LOOK,
    "/logs/{path:path}": Permission.LOOK,
    "/download_debug/{run_id:str}": Permission.LOOK,
    # They read whatever notebook of the server they are told.
    "/notebook": Permission.ADMIN,
    "/dagit/notebook": Permission.ADMIN,
    # They write events of any asset that no run has made.
    "/report_asset_materialization/{asset_key:path}": Permission.ADMIN,
    "/report_asset_check/{asset_key:path}": Permission.ADMIN,
    "/report_asset_observation/{asset_key:path}": Permission.ADMIN,
}

_REPORTS = "/report_asset_"

#: What is written down, by the beginning of its path: who took it or was refused, and what it is about.
_NOTED: Mapping[str, str] = {
    _REPORTS: "report",
    "/logs/": "read.log",
    "/download_debug/": "read.run",
    "/notebook": "read.notebook",
    "/dagit/notebook": "read.notebook",
}
#: ... and only where it is refused: what GraphQL shows is written down where it is shown.
_NOTED_REFUSED: Mapping[str, str] = {**_NOTED, "/graphql": "read.graphql"}


class RoutePermissions:
    """Stands before Dagster's app: it shows every table, so that it is for who may look at all of them."""

    def __init__(self, app: ASGIApp, log: AuditLog) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller, path = caller_of(scope) or LOCAL, _path(scope)
        wanted = needed(path)
        if refused := self._refusal(scope, caller, path, wanted):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": "not for you"})
                return
            await self._note(scope, caller, path, "refused", _NOTED_REFUSED)
            await refused(scope, receive, send)
        elif path.startswith(tuple(_NOTED)):
            statuses: list[int] = []

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])
                await send(message)

            await self.app(scope, receive, sending)
            done = "done" if statuses and statuses[0] < 400 else "failed"
            await self._note(scope, caller, path, done, _NOTED)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope, caller: Caller, path: str, wanted: Permission) -> Response | None:
        grants = caller.user.grants
        if not may(grants, Permission.LOOK):
            return _only_some(Headers(scope=scope), caller, path)
        if not may(grants, wanted):
            return JSONResponse({"error": why_not(grants, wanted)}, 403)
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD") and not _takes_changes(path):
            return JSONResponse({"error": f"wanted GET, got {scope['method']}"}, 405, {"Allow": "GET, HEAD"})
        if path.startswith("/logs/") and not _is_a_log(path.removeprefix("/logs/").split("/")):
            return JSONResponse({"error": "wanted the path of a log"}, 400)
        return None

    async def _note(self, scope: Scope, caller: Caller, path: str, result: str, noted: Mapping[str, str]) -> None:
        beginning = next((one for one in noted if path.startswith(one)), None)
        if beginning is not None:
            on = path.removeprefix(beginning)[:300]
            await run_sync(self.log.add, Event(caller.user.name, noted[beginning], on, source_of(scope), result))


def needed(path: str) -> Permission:
    """What it takes to go through there: by the longest route's beginning that fits."""
    fitting = [route for route in ROUTES if path.startswith(route.partition("{")[0])]
    return ROUTES[max(fitting, key=lambda route: len(route.partition("{")[0]))]


def is_own_origin(headers: Headers) -> bool:
    """Whether a page of this site asks, or no page at all: browsers always name the page's site for a WebSocket."""
    origin = headers.get("origin")
    return origin is None or is_of_this_site(origin, headers)


def _is_a_log(parts: list[str]) -> bool:
    """Whether these lead to a log, and to nothing above."""
    strange = [part for part in parts if part in ("", ".", "..") or "\\" in part or "\0" in part]
    return len(parts) > 1 and not strange


def _takes_changes(path: str) -> bool:
    return path == "/graphql" or path.startswith(_REPORTS)


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def _only_some(headers: Headers, caller: Caller, path: str) -> Response:
    """A refusal; who may look at some tables is led from the first page, where a login ends, to the dashboard."""
    scopes = ", ".join(sorted({grant.scope for grant in caller.user.grants if grant.scope}))
    said = f"Dagster's pages show every table, and you may look at those of {scopes or 'nobody'}"
    if "text/html" not in headers.get("accept", ""):
        return JSONResponse({"error": f"{said}: see /dashboard/ and /api/v1"}, 403)
    if path == "/" and may_somewhere(caller.user.grants, Permission.LOOK):
        return RedirectResponse("/dashboard/", 303, {"Cache-Control": "no-store"})
    page = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Not all tables</title></head>
<body><main><h1>Not all tables</h1><p>{html.escape(said)}. They are on <a href="/dashboard/">the dashboard</a>.</p></main></body></html>"""
    return HTMLResponse(page, 403, {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"})
