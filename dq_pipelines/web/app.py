"""Assembles the application of `dq serve`: the routes of every part, and the middleware before them."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from dq_pipelines.uploads.settings import UploadLimits
from dq_pipelines.web import aliases, metrics
from dq_pipelines.web.api import rest
from dq_pipelines.web.auth.access import Access
from dq_pipelines.web.auth.account import Account
from dq_pipelines.web.auth.enrolment import SecondFactorPages
from dq_pipelines.web.auth.login import Login
from dq_pipelines.web.auth.login_steps import LoginSteps
from dq_pipelines.web.auth.oidc_login import OidcLogin
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.dagster_client import DagsterHost
from dq_pipelines.web.dashboard import Site, dashboard
from dq_pipelines.web.dashboard.admin_page import Administration
from dq_pipelines.web.metrics.runs import records_of_environment
from dq_pipelines.web.middleware.authentication import Authentication
from dq_pipelines.web.middleware.proxies import Forwarded, Proxies
from dq_pipelines.web.middleware.security_headers import BodyLimit, Bounds, SecurityHeaders
from dq_pipelines.web.navigation import CONSOLE

#: In which an upload must arrive: an hour of a slow line.
_UPLOAD_SECONDS = 3600


class _Rest(Convertor[str]):
    """The rest of a path. Starlette's own `path` stops at a line break, so the API could not answer 404 for such paths."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("rest", _Rest())


def routes(behind: Backend) -> list[BaseRoute]:
    """All routes; a new part adds its own here. Dagster's UI comes last, since it answers every path."""
    site, host = behind.site, behind.dagster
    if host is not None:
        site.end_of = host.end_of
    return [
        *([] if host else [Route("/", _home)]),
        Route(CONSOLE, _home),
        Route("/api/docs", _api_reference),
        Mount(CONSOLE, app=dashboard(site, (lambda: host.instance) if host else None, _administration(behind))),
        *metrics.routes(
            lambda: site.known().project, site.stores.history, records_of_environment, site.standings, behind.health
        ),
        *rest_routes(behind),
        *aliases.routes(),
        *([Mount("/", app=host.app)] if host else []),
    ]


def rest_routes(behind: Backend) -> list[BaseRoute]:
    """The REST API, which answers `/api…` and `/apikey`."""
    app = rest(behind)
    return [
        Route("/apikey", app),
        Route("/api", app),
        Route("/api/{path:rest}", app),
        WebSocketRoute("/api/{path:rest}", app),
    ]


def _administration(behind: Backend) -> Administration:
    return Administration(behind.access, lambda: behind.health.hosted, behind.health.problems)


async def _home(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{request.scope.get('root_path', '')}{CONSOLE}/")


async def _api_reference(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{request.scope.get('root_path', '')}{CONSOLE}/api")


def taken_files() -> dict[str, BodyLimit]:
    """The limits of bodies at addresses that take files, by a pattern of the whole path. Raises ConfigError."""
    return {
        r".*/api/v1/tables/(silver|gold)/[^/]+/quarantine/workbook": BodyLimit(8 << 20),
        r".*/api/v1/uploads": BodyLimit(UploadLimits.from_environment().bytes, seconds=_UPLOAD_SECONDS),
    }


def access_of(site: Site) -> Access:
    """The users, keys, sessions and the audit log of this site."""
    return Access(site.state, lambda: site.known().project.settings.oidc)


def application(site: Site, host: DagsterHost | None = None, proxies: Proxies | None = None) -> Starlette:
    """The app that a server runs. Callers log in; without any users, only this machine is served.

    `proxies` are the trusted proxies before the server; None for none.
    """
    access = access_of(site)
    steps = LoginSteps(access)
    pages = [
        *Login(access, steps).routes(),
        *OidcLogin(access, steps).routes(),
        *Account(access, steps, hosts_dagster=host is not None).routes(),
        *SecondFactorPages(access, steps).routes(),
        Route("/health", _health),
        *routes(Backend(site, access, host)),
    ]
    guards = [
        Middleware(Forwarded, proxies=proxies or Proxies()),
        Middleware(SecurityHeaders),
        Middleware(Bounds, files=taken_files()),
        Middleware(Authentication, access=access),
    ]
    app = Starlette(routes=pages, middleware=guards)
    app.state.access = access
    return app


async def _health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "live"})
