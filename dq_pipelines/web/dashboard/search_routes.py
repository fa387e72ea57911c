"""The page of search results."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dq_pipelines.web.dashboard.links import Served
from dq_pipelines.web.dashboard.page_server import PageSection
from dq_pipelines.web.dashboard.search import search


class SearchPages(PageSection):
    """What a reader searches for."""

    def routes(self) -> list[Route]:
        return [Route("/search", self.results)]

    def results(self, request: Request) -> Response:
        """The results; the page of the table itself if its name is all that was found."""
        text = request.query_params.get("q", "")
        view = search(self._server.visit(request), text, self._runs(request, text.strip()))
        if view.only_table:
            base = str(request.scope.get("root_path", "")).rstrip("/")
            return RedirectResponse(Served(base).table(view.only_table), 303)
        return self._server.page(request, "search", view, section=None)

    def _runs(self, request: Request, text: str) -> list[str]:
        if self._server.records is None:
            return []
        from dq_pipelines.web.dagster_client.run_list import runs_by_id  # Dagster takes a second to import

        return runs_by_id(self._server.records(), self._server.rights(request), text)
