"""The page of alerts."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from dq_pipelines.web.auth.reader import reader_of
from dq_pipelines.web.dashboard.alerts_page import alerts_page
from dq_pipelines.web.dashboard.page_server import PageSection
from dq_pipelines.web.navigation import ALERTS


class AlertPages(PageSection):
    """The alerts that are open, by cause and owner."""

    def routes(self) -> list[Route]:
        return [
            Route("/alerts", self.alerts),
        ]

    def alerts(self, request: Request) -> HTMLResponse:
        reader = reader_of(request.scope)
        rights = self._server.rights(request)
        mine = reader is not None and request.query_params.get("mine") == "1"
        view = alerts_page(self._server.visit(request), rights, reader.name if reader else "", mine=mine)
        return self._server.page(request, "alerts", view, section=ALERTS)
