"""The pages of the overview, of the catalog, of tables and of rules."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from dq_pipelines.errors import nearest
from dq_pipelines.web.dashboard.catalog_page import catalog_page
from dq_pipelines.web.dashboard.listing import Listing
from dq_pipelines.web.dashboard.overview import overview
from dq_pipelines.web.dashboard.page_server import PageSection, key_of
from dq_pipelines.web.dashboard.pipelines_page import PipelinePage, pipeline_page
from dq_pipelines.web.dashboard.rule_page import rule_page
from dq_pipelines.web.dashboard.table_data import DataTab
from dq_pipelines.web.dashboard.table_page import OF_FILES, TableVisit, table_visit
from dq_pipelines.web.dashboard.table_tabs import COLLECTORS
from dq_pipelines.web.navigation import CATALOG


class TablePages(PageSection):
    """The overview, the catalog, and a page for each table and rule."""

    def routes(self) -> list[Route]:
        return [
            Route("/", self.overview),
            Route("/catalog", self.catalog),
            Route("/tables/{layer}/{name}", self.table),
            Route("/tables/{layer}/{name}/rules/{check}", self.rule),
        ]

    def overview(self, request: Request) -> HTMLResponse:
        return self._server.page(
            request, "overview", overview(self._server.visit(request), Listing.of(request.query_params))
        )

    def catalog(self, request: Request) -> HTMLResponse:
        found = catalog_page(self._server.visit(request), Listing.of(request.query_params))
        return self._server.page(request, "catalog", found, section=CATALOG)

    def table(self, request: Request) -> HTMLResponse:
        key, visit = key_of(request), self._server.visit(request)
        found = table_visit(visit, key, request.query_params)
        if found is None:
            seen = sorted({*(each.table for each in visit.standings()), *(each.key for each in visit.known.project)})
            seen = [one for one in seen if visit.sees(one)]
            among = "" if visit.tables is None else " that you may view"
            return self._server.missing(request, f"There is no table {key}{among}{nearest(key, seen)}.")
        if found.page.tab in OF_FILES:
            content: object = self._file(request, found)
        else:
            content = COLLECTORS[found.page.tab](found)
        if isinstance(content, DataTab) and content.rows:
            self._server.log_read(request, key, event="read.preview", rows=len(content.rows))
        return self._server.page(request, "table", found.page.with_content(content), section=CATALOG)

    def _file(self, request: Request, of: TableVisit) -> PipelinePage | None:
        """The table's YAML with its earlier versions; None for one that the caller may not view."""
        name = of.key.partition("/")[2]
        # What starts its runs is said by the tab of its status.
        return pipeline_page(self._server.files(request), lambda _: {}, name, request.query_params.get("version", ""))

    def rule(self, request: Request) -> HTMLResponse:
        key, check = key_of(request), request.path_params["check"]
        found = rule_page(self._server.visit(request), key, check)
        if found is None:
            return self._server.missing(request, f"There is no result of a rule {check} of {key}.")
        return self._server.page(request, "rule", found, section=CATALOG)
