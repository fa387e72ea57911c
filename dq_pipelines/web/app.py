"""The whole of what `dq serve` serves: each part's routes, and what guards them all."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Mount, Route

from dq_pipelines.web import metrics
from dq_pipelines.web.dashboard import Site, dashboard
from dq_pipelines.web.guard import LoopbackOnly
from dq_pipelines.web.metrics.runs import records_of_environment


def routes(site: Site) -> list[BaseRoute]:
    """What there is to ask for; a new part adds its own here."""
    return [
        Route("/", _home),
        Mount("/dashboard", app=dashboard(site)),
        *metrics.routes(lambda: site.known().project, site.stores.history, records_of_environment),
    ]


async def _home(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/dashboard/")


def application(site: Site) -> Starlette:
    """The app that a server runs, for this machine alone: there is no login yet."""
    return Starlette(routes=routes(site), middleware=[Middleware(LoopbackOnly)])
