"""Checks permissions on Dagster's routes, and logs their use: outside of GraphQL, Dagster checks none itself."""

from __future__ import annotations

import html
from collections.abc import Mapping

from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.security.roles import Permission, may, may_somewhere, why_not
from dq_pipelines.web.auth.access import LOCAL, Caller, caller_of, source_of
from dq_pipelines.web.auth.origins import is_of_this_site

#: The routes of Dagster that are served, and the permission for each. GraphQL checks further permissions itself.
ROUTES: Mapping[str, Permission] = {
    "/": Permission.LOOK,
    "/{path:path}": Permission.LOOK,
    "/graphql": Permission.LOOK,
    "/server_info": Permission.LOOK,
    "/dagit_info": Permission.LOOK,
    "/logs/{path:path}": Permission.LOOK,
    "/download_debug/{run_id:str}": Permission.LOOK,
    # These read any notebook on the server.
    "/notebook": Permission.ADMIN,
    "/dagit/notebook": Permission.ADMIN,
    # These write events of any asset without a run.
    "/report_asset_materialization/{asset_key:path}": Permission.ADMIN,
    "/report_asset_check/{asset_key:path}": Permission.ADMIN,
    "/report_asset_observation/{asset_key:path}": Permission.ADMIN,
}

_REPORTS = "/report_asset_"

#: Path prefix -> the event in the audit log, for allowed and refused requests.
_NOTED: Mapping[str, str] = {
    _REPORTS: "report",
    "/logs/": "read.log",
    "/download_debug/": "read.run",
    "/notebook": "read.notebook",
    "/dagit/notebook": "read.notebook",
}
#: Path prefix -> the event for refused requests; `read_audit` logs what GraphQL shows.
_NOTED_REFUSED: Mapping[str, str] = {**_NOTED, "/graphql": "read.graphql"}


class RoutePermissions:
    """Middleware before Dagster's app, which shows every table and so needs the right to view all tables."""

    def __init__(self, app: ASGIApp, log: AuditLog) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller, path = caller_of(scope) or LOCAL, _path(scope)
        wanted = needed(path)
        if refused := self._refusal(scope, caller, path, wanted):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": "not allowed"})
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
            return _without_all_tables(Headers(scope=scope), caller, path)
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
    """The permission for a path: that of the route with the longest matching prefix."""
    fitting = [route for route in ROUTES if path.startswith(route.partition("{")[0])]
    return ROUTES[max(fitting, key=lambda route: len(route.partition("{")[0]))]


def is_own_origin(headers: Headers) -> bool:
    """Whether the request comes from a page of this site, or from no browser: browsers always send the Origin for a WebSocket."""
    origin = headers.get("origin")
    return origin is None or is_of_this_site(origin, headers)


def _is_a_log(parts: list[str]) -> bool:
    """Whether these path parts name a log, without leaving the folder of logs."""
    strange = [part for part in parts if part in ("", ".", "..") or "\\" in part or "\0" in part]
    return len(parts) > 1 and not strange


def _takes_changes(path: str) -> bool:
    return path == "/graphql" or path.startswith(_REPORTS)


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def _without_all_tables(headers: Headers, caller: Caller, path: str) -> Response:
    """A refusal. Callers who may view some tables are redirected from the first page to the dashboard."""
    scopes = ", ".join(sorted({grant.scope for grant in caller.user.grants if grant.scope}))
    why = f"Dagster's pages show every table, and you may only view those of {scopes or 'no scope'}"
    if "text/html" not in headers.get("accept", ""):
        return JSONResponse({"error": f"{why}: see /dashboard/ and /api/v1"}, 403)
    if path == "/" and may_somewhere(caller.user.grants, Permission.LOOK):
        return RedirectResponse("/dashboard/", 303, {"Cache-Control": "no-store"})
    page = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>No access to all tables</title></head>
<body><main><h1>No access to all tables</h1><p>{html.escape(why)}. They are on <a href="/dashboard/">the dashboard</a>.</p></main></body></html>"""
    return HTMLResponse(page, 403, {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"})
