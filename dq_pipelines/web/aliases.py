"""Short addresses of the REST API, as smaller services have them: each leads to the route that answers.

A browser that asks for a page gets none of them, since some are also addresses of Dagster's pages.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

#: Short address -> the route that answers.
ALIASES: Mapping[str, str] = {
    "/metrics/latest": "/api/v1/metrics/latest",
    "/metrics/history": "/api/v1/metrics/history",
    "/run/{id}": "/api/v1/runs/{id}",
    "/history": "/api/v1/runs",
    "/logs/{id}": "/api/v1/runs/{id}/logs",
    "/jobs/{id}": "/api/v1/jobs/{id}",
}


#: The ids of runs and the names of jobs; anything else below such an address is Dagster's.
_ID = re.compile(r"[\w-]+")


class _Alias(Route):
    """A route that matches only requests of programs, for an id."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        accepts = dict(scope.get("headers", ())).get(b"accept", b"")
        found, more = super().matches(scope)
        ids = more.get("path_params", {}).values()
        if b"text/html" in accepts or not all(_ID.fullmatch(str(one)) for one in ids):
            return Match.NONE, {}
        return found, more


def routes() -> list[BaseRoute]:
    """The aliases, which redirect with status 307: the method, the body and the query stay."""
    return [_Alias(path, _redirect_to(target), methods=["GET"]) for path, target in ALIASES.items()]


def _redirect_to(target: str) -> Callable[[Request], Awaitable[RedirectResponse]]:
    async def redirect(request: Request) -> RedirectResponse:
        values = {name: quote(str(value), safe="") for name, value in request.path_params.items()}
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{request.scope.get('root_path', '')}{target.format(**values)}{query}")

    return redirect
