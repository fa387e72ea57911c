"""The pages of administration, and the reference of the REST API."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from dq_pipelines.security.roles import Permission, may
from dq_pipelines.web.auth.access import caller_of
from dq_pipelines.web.dashboard.admin_data_page import data_page
from dq_pipelines.web.dashboard.admin_page import audit_page, health_page, keys_page, maintenance_page, users_page
from dq_pipelines.web.dashboard.page_server import PageSection, api_address
from dq_pipelines.web.navigation import ADMIN


class AdminPages(PageSection):
    """Health, users, keys and the audit log, for admins of all tables; the reference for all."""

    def routes(self) -> list[Route]:
        return [
            Route("/admin", self.admin),
            Route("/admin/{tab}", self.admin),
            Route("/api", self.api),
        ]

    def admin(self, request: Request) -> HTMLResponse:
        caller, tab = caller_of(request.scope), request.path_params.get("tab", "health")
        if self._server.admin is None or caller is None or not may(caller.user.grants, Permission.ADMIN):
            why = "You may not open the admin pages: they are for admins of all tables."
            return self._server.refused(request, "Admin", why)
        if tab == "users":
            view: Any = users_page(self._server.admin, self._server.known(request).project.scopes)
        elif tab == "keys":
            view = keys_page(self._server.admin)
        elif tab == "audit":
            view = audit_page(self._server.admin, request.query_params)
        elif tab == "maintenance":
            view = maintenance_page(self._server.site, examine=request.query_params.get("examine") == "1")
        elif tab == "data":
            view = data_page(self._server.site, request.query_params.get("table", ""))
        elif tab == "health":
            view = health_page(self._server.admin)
        else:
            return self._server.missing(request, "There is no such page.")
        return self._server.page(request, "admin", view, section=ADMIN)

    def api(self, request: Request) -> HTMLResponse:
        """The interactive reference of the REST API."""
        return self._server.page(
            request, "api", {"document": api_address(request).replace("/v1", "/openapi.json")}, section=None
        )
