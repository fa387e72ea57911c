"""The pages of the overview, of tables and of rules."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from dq_pipelines.errors import nearest
from dq_pipelines.web.dashboard.listing import Listing
from dq_pipelines.web.dashboard.overview import overview
from dq_pipelines.web.dashboard.page_server import PageServer, key_of
from dq_pipelines.web.dashboard.rule_page import rule_page
from dq_pipelines.web.dashboard.table_page import table_page


class TablePages:
    """The overview, and a page for each table and rule."""

    def __init__(self, server: PageServer) -> None:
        self._server = server

    def routes(self) -> list[Route]:
        return [
            Route("/", self.overview),
            Route("/tables/{layer}/{name}", self.table),
            Route("/tables/{layer}/{name}/rules/{check}", self.rule),
        ]

    def overview(self, request: Request) -> HTMLResponse:
        return self._server.page(
            request, "overview", overview(self._server.visit(request), Listing.of(request.query_params))
        )

    def table(self, request: Request) -> HTMLResponse:
        key, visit = key_of(request), self._server.visit(request)
        found = table_page(visit, key, request.query_params.get("column"))
        if found is None:
            seen = [each.table for each in visit.standings()]
            among = "" if visit.tables is None else " that you may view"
            return self._server.missing(request, f"There is no run of a table {key}{among}{nearest(key, seen)}.")
        return self._server.page(request, "table", found)

    def rule(self, request: Request) -> HTMLResponse:
        key, check = key_of(request), request.path_params["check"]
        found = rule_page(self._server.visit(request), key, check)
        if found is None:
            return self._server.missing(request, f"There is no result of a rule {check} of {key}.")
        return self._server.page(request, "rule", found)
