"""The pages of quarantine."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from dq_pipelines.errors import nearest
from dq_pipelines.web.dashboard.page_server import PageSection, key_of
from dq_pipelines.web.dashboard.quarantine_overview import quarantine_overview
from dq_pipelines.web.dashboard.quarantine_page import quarantine_page
from dq_pipelines.web.navigation import QUARANTINE


class QuarantinePages(PageSection):
    """Refused rows by table, and the rows of each table."""

    def routes(self) -> list[Route]:
        return [
            Route("/quarantine", self.quarantine),
            Route("/quarantine/{layer}/{name}", self.refused),
        ]

    def quarantine(self, request: Request) -> HTMLResponse:
        view = quarantine_overview(self._server.visit(request), request.query_params.get("table", ""))
        return self._server.page(request, "quarantine", view, section=QUARANTINE)

    def refused(self, request: Request) -> HTMLResponse:
        """The page of a table's refused rows; who has seen how many is logged, as over REST."""
        key, visit = key_of(request), self._server.visit(request)
        table = visit.table(key)
        if table is None or not visit.sees(key):
            if table is not None:
                self._server.log_read(request, key, "refused")
            known = [one.key for one in visit.known.project if visit.sees(one.key)]
            return self._server.missing(request, f"There is no table {key}{nearest(key, known)}.")
        view = quarantine_page(visit, table, request.query_params)
        self._server.log_read(request, key, rows=len(view.rows))
        return self._server.page(request, "refused", view, section=QUARANTINE)
