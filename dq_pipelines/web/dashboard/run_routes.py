"""The pages of runs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from dq_pipelines.web.dashboard.page_server import PageSection, api_address, key_of
from dq_pipelines.web.navigation import RUNS

#: Partitions that a form offers; others can be typed.
_OFFERED = 200


class RunPages(PageSection):
    """All runs, and a page for each."""

    def routes(self) -> list[Route]:
        return [
            Route("/runs", self.runs),
            Route("/runs/{id}", self.run),
            Route("/running", self.running),
            Route("/partitions/{layer}/{name}", self.partitions),
        ]

    def run(self, request: Request) -> HTMLResponse:
        from dq_pipelines.web.dashboard.run_page import run_page  # Dagster takes a second to import

        run_id = request.path_params["id"]
        if self._server.records is None:
            return self._server.missing(request, "Runs are shown by a server that hosts Dagster.")
        rights = self._server.rights(request)
        found = run_page(self._server.visit(request), self._server.records(), rights, run_id, api_address(request))
        if found is None:
            return self._server.missing(request, f"Dagster has no record of a run {run_id}, or you may not view it.")
        return self._server.page(request, "run", found, section=RUNS)

    def runs(self, request: Request) -> HTMLResponse:
        from dq_pipelines.web.dashboard.runs_page import runs_overview  # Dagster takes a second to import

        if self._server.records is None:
            return self._server.missing(request, "Runs are shown by a server that hosts Dagster.")
        rights = self._server.rights(request)
        view = runs_overview(self._server.visit(request), self._server.records(), rights, request.query_params)
        return self._server.page(request, "runs", view, section=RUNS)

    def running(self, request: Request) -> HTMLResponse:
        """The part of the overview about runs that have not ended, which a script reads again and again."""
        from dq_pipelines.web.dashboard.runs_page import RunningNow, running_now  # Dagster takes a second to import

        records = self._server.records
        view = running_now(records(), self._server.rights(request)) if records is not None else RunningNow(())
        return self._server.page(request, "running", view, section=None)

    def partitions(self, request: Request) -> JSONResponse:
        """The newest partitions of a table, which a script offers where a run is started; none without Dagster."""
        from dq_pipelines.orchestration.runs.run_partition import newest_partitions  # Dagster takes a second to import

        key, records, rights = key_of(request), self._server.records, self._server.rights(request)
        table = rights.project.by_key(key)
        if table is None or records is None or not rights.sees(key):
            found: list[str] = []
        else:
            found = newest_partitions(table, records(), _OFFERED)
        return JSONResponse({"partitions": found}, headers={"Cache-Control": "no-store"})
