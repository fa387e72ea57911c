"""The app of the dashboard: the routes of all its sections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from dq_pipelines.errors import DqError
from dq_pipelines.web.dashboard import files
from dq_pipelines.web.dashboard.admin_page import Administration
from dq_pipelines.web.dashboard.admin_routes import AdminPages
from dq_pipelines.web.dashboard.alert_routes import AlertPages
from dq_pipelines.web.dashboard.live import ChangeWatcher
from dq_pipelines.web.dashboard.page_server import PageServer, Records
from dq_pipelines.web.dashboard.pipeline_routes import PipelinePages
from dq_pipelines.web.dashboard.quarantine_routes import QuarantinePages
from dq_pipelines.web.dashboard.run_routes import RunPages
from dq_pipelines.web.dashboard.search_routes import SearchPages
from dq_pipelines.web.dashboard.site import Site
from dq_pipelines.web.dashboard.table_routes import TablePages
from dq_pipelines.web.middleware.security_headers import SecurityHeaders

#: The content security policy: scripts and styles come from this server only, and none are inline.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)


#: The sections of the dashboard, one class each.
SECTIONS = (TablePages, RunPages, QuarantinePages, AlertPages, PipelinePages, AdminPages, SearchPages)


def dashboard(site: Site, records: Records | None = None, admin: Administration | None = None) -> Starlette:
    """The dashboard of a site, as an app to mount. Every route only reads, and answers GET.

    With `records`, runs have pages too; with `admin`, admins have theirs. These use the REST API, which must be at `/api/v1`.
    """
    server, watch = PageServer(site, records, admin), ChangeWatcher(site)
    failures: dict[Any, Callable[[Request, Exception], HTMLResponse]] = {
        404: server.not_found, DqError: server.failed, SQLAlchemyError: server.failed,
    }  # fmt: skip
    return Starlette(
        routes=[
            *(route for section in SECTIONS for route in section(server).routes()),
            Route("/pulse", watch.poll),
            Route("/events", watch.stream),
            Route("/files/{name}", files.served),
        ],
        middleware=[Middleware(SecurityHeaders, policy=POLICY), Middleware(GZipMiddleware)],
        exception_handlers=failures,
    )
