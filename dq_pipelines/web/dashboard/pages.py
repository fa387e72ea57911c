"""The routes of the dashboard, and the rendering of its templates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from dq_pipelines.errors import DqError, nearest
from dq_pipelines.history.queries import wording
from dq_pipelines.history.queries.series import DIMENSIONS
from dq_pipelines.rules.core.clock import now
from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.security.roles import Permission, may
from dq_pipelines.web.auth.access import LOCAL, caller_of, source_of
from dq_pipelines.web.auth.authorization import Rights, may_open_of
from dq_pipelines.web.auth.reader import reader_of
from dq_pipelines.web.dashboard import files
from dq_pipelines.web.dashboard.actions import Actions
from dq_pipelines.web.dashboard.admin_page import Administration, audit_page, health_page, keys_page, users_page
from dq_pipelines.web.dashboard.ages import AGES, age_of
from dq_pipelines.web.dashboard.alerts_page import MUTES, alerts_page
from dq_pipelines.web.dashboard.links import Links, Served, slug
from dq_pipelines.web.dashboard.listing import SORTS, Listing
from dq_pipelines.web.dashboard.live import ChangeWatcher
from dq_pipelines.web.dashboard.overview import LISTED, overview
from dq_pipelines.web.dashboard.pipelines_page import new_pipeline_page, pipeline_page, pipelines_page
from dq_pipelines.web.dashboard.quarantine_overview import quarantine_overview
from dq_pipelines.web.dashboard.quarantine_page import quarantine_page
from dq_pipelines.web.dashboard.request_context import RequestContext
from dq_pipelines.web.dashboard.rule_page import rule_page
from dq_pipelines.web.dashboard.site import LoadedProject, Site
from dq_pipelines.web.dashboard.table_files import TableFiles
from dq_pipelines.web.dashboard.table_page import table_page
from dq_pipelines.web.dashboard.table_summary import FIRST, SPAN, SPANS, TimeRange
from dq_pipelines.web.middleware.security_headers import SecurityHeaders
from dq_pipelines.web.navigation import (
    ADMIN,
    ALERTS,
    EDITING,
    OVERVIEW,
    PIPELINES,
    PRODUCT,
    QUARANTINE,
    RUNS,
    Bar,
    Section,
)

if TYPE_CHECKING:
    import dagster as dg

#: The content security policy: scripts and styles come from this server only, and none are inline.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)


#: Returns Dagster's instance.
Records = Callable[[], "dg.DagsterInstance"]


@cache
def environment() -> Environment:
    """The template environment, which escapes all values."""
    made = Environment(
        loader=PackageLoader("dq_pipelines.web.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (
        "age", "attempt", "failures", "rule_findings", "last_attempt", "moment", "partitions", "percent", "recheck", "score", "state", "word",
    )  # fmt: skip
    made.globals |= {name: getattr(wording, name) for name in words}
    made.globals |= {
        "PRODUCT": PRODUCT,
        "AGES": AGES,
        "MUTES": MUTES,
        "age_of": age_of,
        "slug": slug,
        "SPANS": SPANS,
        "FIRST": FIRST,
        "LISTED": LISTED,
        "SORTS": SORTS,
        "SPAN": SPAN,
        "DIMENSIONS": DIMENSIONS,
        "plotly_styles": files.plotly_styles,
    }
    made.filters |= {"n": "{:,}".format, "cut": _cut, "local": datetime.astimezone, "capitalize_first": _capitalized}
    return made


def _capitalized(text: str) -> str:
    """The text with a capital first letter and all others unchanged, unlike `str.capitalize`."""
    return text[:1].upper() + text[1:]


def _cut(number: float) -> str:
    """Percent with two digits, truncated and not rounded, so that 100 means no failure at all."""
    return f"{int(number * 100) / 100:.2f}"


class Pages:
    """The pages of one site."""

    def __init__(self, site: Site, records: Records | None = None, admin: Administration | None = None) -> None:
        self.site = site
        self._records = records
        self._admin = admin

    def overview(self, request: Request) -> HTMLResponse:
        return self._page(request, "overview", overview(self._visit(request), Listing.of(request.query_params)))

    def table(self, request: Request) -> HTMLResponse:
        key, visit = _key(request), self._visit(request)
        found = table_page(visit, key, request.query_params.get("column"))
        if found is None:
            seen = [each.table for each in visit.standings()]
            among = "" if visit.tables is None else " that you may view"
            return self._missing(request, f"There is no run of a table {key}{among}{nearest(key, seen)}.")
        return self._page(request, "table", found)

    def rule(self, request: Request) -> HTMLResponse:
        key, check = _key(request), request.path_params["check"]
        found = rule_page(self._visit(request), key, check)
        if found is None:
            return self._missing(request, f"There is no result of a rule {check} of {key}.")
        return self._page(request, "rule", found)

    def run(self, request: Request) -> HTMLResponse:
        from dq_pipelines.web.dashboard.run_page import run_page  # Dagster takes a second to import

        run_id = request.path_params["id"]
        if self._records is None:
            return self._missing(request, "Runs are shown by a server that hosts Dagster.")
        rights = self._rights(request)
        found = run_page(self._records(), rights, run_id, _api(request))
        if found is None:
            return self._missing(request, f"Dagster has no record of a run {run_id}, or you may not view it.")
        return self._page(request, "run", found, section=RUNS)

    def runs(self, request: Request) -> HTMLResponse:
        from dq_pipelines.web.dashboard.runs_page import runs_overview  # Dagster takes a second to import

        if self._records is None:
            return self._missing(request, "Runs are shown by a server that hosts Dagster.")
        rights = self._rights(request)
        view = runs_overview(self._visit(request), self._records(), rights, request.query_params)
        return self._page(request, "runs", view, section=RUNS)

    def alerts(self, request: Request) -> HTMLResponse:
        reader = reader_of(request.scope)
        rights = self._rights(request)
        mine = reader is not None and request.query_params.get("mine") == "1"
        view = alerts_page(self._visit(request), rights, reader.name if reader else "", mine=mine)
        return self._page(request, "alerts", view, section=ALERTS)

    def pipelines(self, request: Request) -> HTMLResponse:
        may_create = may_open_of(request.scope)(EDITING)
        view = pipelines_page(self._visit(request), self._files(request), may_create=may_create)
        return self._page(request, "pipelines", view, section=PIPELINES)

    def pipeline(self, request: Request) -> HTMLResponse:
        name = request.path_params["name"]
        view = pipeline_page(self._files(request), name, request.query_params.get("version", ""))
        if view is None:
            return self._missing(request, f"There is no pipeline {name} that you may view.")
        return self._page(request, "pipeline", view, section=PIPELINES)

    def new_pipeline(self, request: Request) -> HTMLResponse:
        view = new_pipeline_page(self._files(request), may_create=may_open_of(request.scope)(EDITING))
        return self._page(request, "pipeline", view, section=PIPELINES)

    def _files(self, request: Request) -> TableFiles:
        return TableFiles(self.site, caller_of(request.scope) or LOCAL)

    def admin(self, request: Request) -> HTMLResponse:
        caller, tab = caller_of(request.scope), request.path_params.get("tab", "health")
        if self._admin is None or caller is None or not may(caller.user.grants, Permission.ADMIN):
            return self._missing(request, "The admin pages are for admins of all tables.")
        if tab == "users":
            view: Any = users_page(self._admin, self._known(request).project.scopes)
        elif tab == "keys":
            view = keys_page(self._admin)
        elif tab == "audit":
            view = audit_page(self._admin, request.query_params)
        elif tab == "health":
            view = health_page(self._admin)
        else:
            return self._missing(request, "There is no such page.")
        return self._page(request, "admin", view, section=ADMIN)

    def api(self, request: Request) -> HTMLResponse:
        """The interactive reference of the REST API."""
        return self._page(request, "api", {"document": _api(request).replace("/v1", "/openapi.json")}, section=None)

    def quarantine(self, request: Request) -> HTMLResponse:
        view = quarantine_overview(self._visit(request), request.query_params.get("table", ""))
        return self._page(request, "quarantine", view, section=QUARANTINE)

    def refused(self, request: Request) -> HTMLResponse:
        """The page of a table's refused rows; who has seen how many is logged, as over REST."""
        key, visit = _key(request), self._visit(request)
        table = visit.table(key)
        if table is None or not visit.sees(key):
            if table is not None:
                self._log_read(request, key, "refused")
            known = [one.key for one in visit.known.project if visit.sees(one.key)]
            return self._missing(request, f"There is no table {key}{nearest(key, known)}.")
        view = quarantine_page(visit, table, request.query_params)
        self._log_read(request, key, rows=len(view.rows))
        return self._page(request, "refused", view, section=QUARANTINE)

    def _log_read(self, request: Request, key: str, result: str = "done", **more: object) -> None:
        caller = caller_of(request.scope)
        who = caller.user.name if caller is not None else ""
        event = Event(who, "read.quarantine", key, source_of(request.scope), result, more)
        AuditLog(self.site.state).add(event)

    def missing(self, request: Request, _: Exception) -> HTMLResponse:
        return self._missing(request, "There is no such page.")

    def failed(self, request: Request, error: Exception) -> HTMLResponse:
        """The page for a store that cannot be read, with the error's message."""
        why = str(error) if isinstance(error, DqError) else f"history cannot be read: {str(error).splitlines()[0]}"
        return self._page(request, "error", {"title": "The dashboard cannot be shown", "message": why}, 503, None)

    def _known(self, request: Request) -> LoadedProject:
        """The project, for one request: whether its files have changed is looked up once."""
        if not hasattr(request.state, "known"):
            request.state.known = self.site.known()
        known: LoadedProject = request.state.known
        return known

    def _rights(self, request: Request) -> Rights:
        return Rights.of(request.scope, self._known(request).project)

    def _visit(self, request: Request) -> RequestContext:
        known = self._known(request)
        seen = Rights.of(request.scope, known.project).seen
        return RequestContext.of(self.site, known if seen is None else known.without_details(), seen, _span(request))

    def _missing(self, request: Request, message: str) -> HTMLResponse:
        return self._page(request, "error", {"title": "Not found", "message": message}, 404, None)

    def _page(
        self, request: Request, name: str, view: Any, status: int = 200, section: Section | None = OVERVIEW
    ) -> HTMLResponse:
        reader, scope = reader_of(request.scope), request.scope
        # Dagster's UI shows all tables, so only readers of all tables get links to it.
        dagster = self.site.dagster_url if reader is None or reader.sees_all else None
        links = Served(scope.get("root_path", "").rstrip("/"), dagster, self._records is not None)
        actions = Actions(_api(request), self._rights(request), links.has_runs)
        bar = Bar.of(
            links.base,
            reader,
            may_open_of(scope),
            dagster=dagster or "",
            hosts_dagster=links.has_runs,
            current=section,
        )
        html = rendered(name, view, links, bar=bar, actions=actions)
        return HTMLResponse(html, status, {"Cache-Control": "no-store"})


def rendered(name: str, view: Any, links: Links, **more: Any) -> str:
    """The template's HTML for a view."""
    return environment().get_template(f"{name}.html.j2").render(view=view, links=links, now=now(), **more)


def _api(request: Request) -> str:
    """The address of the REST API."""
    return f"{request.scope.get('app_root_path', '')}/api/v1"


def _key(request: Request) -> str:
    return f"{request.path_params['layer']}/{request.path_params['name']}"


def _span(request: Request) -> TimeRange:
    asked = request.query_params.get("days", SPAN)
    return TimeRange(asked if asked in SPANS else SPAN)


def dashboard(site: Site, records: Records | None = None, admin: Administration | None = None) -> Starlette:
    """The dashboard of a site, as an app to mount. Every route only reads, and answers GET.

    With `records`, runs have pages too; with `admin`, admins have theirs. These use the REST API, which must be at `/api/v1`.
    """
    pages, watch = Pages(site, records, admin), ChangeWatcher(site)
    failures: dict[Any, Callable[[Request, Exception], HTMLResponse]] = {
        404: pages.missing, DqError: pages.failed, SQLAlchemyError: pages.failed,
    }  # fmt: skip
    return Starlette(
        routes=[
            Route("/", pages.overview),
            Route("/tables/{layer}/{name}", pages.table),
            Route("/tables/{layer}/{name}/rules/{check}", pages.rule),
            Route("/runs", pages.runs),
            Route("/runs/{id}", pages.run),
            Route("/alerts", pages.alerts),
            Route("/pipelines", pages.pipelines),
            Route("/pipelines/{name}", pages.pipeline),
            Route("/new-pipeline", pages.new_pipeline),
            Route("/admin", pages.admin),
            Route("/admin/{tab}", pages.admin),
            Route("/api", pages.api),
            Route("/quarantine", pages.quarantine),
            Route("/quarantine/{layer}/{name}", pages.refused),
            Route("/pulse", watch.poll),
            Route("/events", watch.stream),
            Route("/files/{name}", files.served),
        ],
        middleware=[Middleware(SecurityHeaders, policy=POLICY), Middleware(GZipMiddleware)],
        exception_handlers=failures,
    )
