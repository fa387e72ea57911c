"""Serves pages: what each section of the dashboard needs of its site and of a request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from dq_pipelines.errors import DqError, PublishError
from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.web.auth.access import LOCAL, caller_of, source_of
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.auth.reader import bar_of, reader_of
from dq_pipelines.web.dashboard.actions import Actions
from dq_pipelines.web.dashboard.admin_page import Administration
from dq_pipelines.web.dashboard.lake_errors import told
from dq_pipelines.web.dashboard.links import Served
from dq_pipelines.web.dashboard.request_context import RequestContext
from dq_pipelines.web.dashboard.site import LoadedProject, Site
from dq_pipelines.web.dashboard.table_files import TableFiles
from dq_pipelines.web.dashboard.table_summary import SPAN, SPANS, TimeRange
from dq_pipelines.web.dashboard.templating import rendered
from dq_pipelines.web.navigation import OVERVIEW, Section

if TYPE_CHECKING:
    import dagster as dg

#: Returns Dagster's instance.
Records = Callable[[], "dg.DagsterInstance"]


class PageServer:
    """Renders the pages of one site for the reader of each request.

    With `records`, runs have pages too; with `admin`, admins have theirs.
    """

    def __init__(self, site: Site, records: Records | None = None, admin: Administration | None = None) -> None:
        self.site = site
        self.records = records
        self.admin = admin

    def known(self, request: Request) -> LoadedProject:
        """The project, for one request: whether its files have changed is looked up once."""
        if not hasattr(request.state, "known"):
            request.state.known = self.site.known()
        known: LoadedProject = request.state.known
        return known

    def rights(self, request: Request) -> Rights:
        """The caller's rights on the tables of the project."""
        return Rights.of(request.scope, self.known(request).project)

    def visit(self, request: Request) -> RequestContext:
        """The site as this request sees it."""
        known = self.known(request)
        seen = Rights.of(request.scope, known.project).seen
        return RequestContext.of(self.site, known if seen is None else known.without_details(), seen, _span(request))

    def missing(self, request: Request, message: str) -> HTMLResponse:
        """A page that answers 404 with this message."""
        return self.page(request, "error", {"title": "Not found", "message": message}, 404, None)

    def refused(self, request: Request, title: str, message: str) -> HTMLResponse:
        """A page that answers 403: its title is that of the refused page, and the message says who may open it."""
        return self.page(request, "error", {"title": title, "message": message}, 403, None)

    def page(
        self, request: Request, name: str, view: Any, status: int = 200, section: Section | None = OVERVIEW
    ) -> HTMLResponse:
        """The page of this template and view, for the reader of the request."""
        reader, scope = reader_of(request.scope), request.scope
        # Dagster's UI shows all tables, so only readers of all tables get links to it.
        dagster = self.site.dagster_url if reader is None or reader.sees_all else None
        rights = self.rights(request)
        views = None if rights.seen is None or self.records is None else self._views_run(rights)
        links = Served(scope.get("root_path", "").rstrip("/"), dagster, self.records is not None, views)
        actions = Actions(api_address(request), rights, links.has_runs)
        bar = bar_of(scope, links.base, dagster=dagster or "", hosts_dagster=links.has_runs, current=section)
        html = rendered(name, view, links, bar=bar, actions=actions)
        return HTMLResponse(html, status, {"Cache-Control": "no-store"})

    def _views_run(self, rights: Rights) -> Callable[[str], bool]:
        """Tells whether the caller may view a run; Dagster is asked once about each."""
        from dq_pipelines.web.dagster_client.run_list import may_view_run  # Dagster takes a second to import

        assert self.records is not None  # noqa: S101 - for mypy: the caller has looked
        instance = self.records()
        return cache(lambda run_id: may_view_run(instance, rights, run_id))

    def files(self, request: Request) -> TableFiles:
        """The YAML files that the caller may view or change."""
        return TableFiles(self.site, caller_of(request.scope) or LOCAL)

    def log_read(
        self, request: Request, key: str, result: str = "done", event: str = "read.quarantine", **more: object
    ) -> None:
        """Write to the audit log that the caller has looked at rows of a table, or was refused."""
        caller = caller_of(request.scope)
        who = caller.user.name if caller is not None else ""
        AuditLog(self.site.state).add(Event(who, event, key, source_of(request.scope), result, more))

    def not_found(self, request: Request, _: Exception) -> HTMLResponse:
        """The page for an address that no route has."""
        return self.missing(request, "There is no such page.")

    def failed(self, request: Request, error: Exception) -> HTMLResponse:
        """The page for a store that cannot be read, with the error's message."""
        if isinstance(error, PublishError):
            why = told(error, self.site.stores.lake)
        elif isinstance(error, DqError):
            why = str(error)
        else:
            why = f"history cannot be read: {str(error).splitlines()[0]}"
        return self.page(request, "error", {"title": "The dashboard cannot be shown", "message": why}, 503, None)


class PageSection(ABC):
    """The pages of one section of the dashboard."""

    def __init__(self, server: PageServer) -> None:
        self._server = server

    @abstractmethod
    def routes(self) -> list[Route]:
        """The addresses of its pages."""


def api_address(request: Request) -> str:
    """The address of the REST API."""
    return f"{request.scope.get('app_root_path', '')}/api/v1"


def key_of(request: Request) -> str:
    """The key of the table in a page's address, like `silver/flights`."""
    return f"{request.path_params['layer']}/{request.path_params['name']}"


def _span(request: Request) -> TimeRange:
    asked = request.query_params.get("days", SPAN)
    return TimeRange(asked if asked in SPANS else SPAN)
