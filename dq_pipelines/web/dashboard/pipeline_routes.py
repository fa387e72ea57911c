"""The pages of pipelines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from dq_pipelines.project import Table
from dq_pipelines.web.auth.authorization import may_open_of
from dq_pipelines.web.dashboard.new_pipeline_page import begin_page
from dq_pipelines.web.dashboard.page_server import PageSection
from dq_pipelines.web.dashboard.pipelines_page import new_pipeline_page, pipeline_page, pipelines_page
from dq_pipelines.web.navigation import EDITING, PIPELINES

if TYPE_CHECKING:
    from dq_pipelines.web.dashboard.automations import Automation

#: What was done before a page was opened, by the word in its address.
_OUTCOMES = {"new": "created", "1": "saved"}


class PipelinePages(PageSection):
    """All pipelines, a page for each, and one for a new one."""

    def routes(self) -> list[Route]:
        return [
            Route("/pipelines", self.pipelines),
            Route("/pipelines/{name}", self.pipeline),
            Route("/new-pipeline", self.new_pipeline),
        ]

    def pipelines(self, request: Request) -> HTMLResponse:
        may_create = may_open_of(request.scope)(EDITING)
        server, asked = self._server, request.query_params
        view = pipelines_page(
            server.visit(request),
            server.files(request),
            self._automations,
            may_create=may_create,
            find=asked.get("find", "")[:100],
            after=asked.get("after", "")[:200],
        )
        return server.page(request, "pipelines", view, section=PIPELINES)

    def pipeline(self, request: Request) -> HTMLResponse:
        name, asked = request.path_params["name"], request.query_params
        outcome = _OUTCOMES.get(asked.get("saved", ""), "")
        files = self._server.files(request)
        view = pipeline_page(files, self._automations, name, asked.get("version", ""), outcome)
        if view is None:
            return self._server.missing(request, f"There is no pipeline {name} that you may view.")
        return self._server.page(request, "pipeline", view, section=PIPELINES)

    def new_pipeline(self, request: Request) -> HTMLResponse:
        files, may_create = self._server.files(request), may_open_of(request.scope)(EDITING)
        page = begin_page(files, may_create=may_create)
        if page.may_edit and (request.query_params.get("begin") == "empty" or page.without_files):
            view = new_pipeline_page(files, page.without_files)
            return self._server.page(request, "pipeline", view, section=PIPELINES)
        return self._server.page(request, "new_pipeline", page, section=PIPELINES)

    def _automations(self, tables: Iterable[Table]) -> Mapping[str, Sequence[Automation]]:
        if self._server.records is None:
            return {}
        from dq_pipelines.web.dashboard.automations import automations  # Dagster takes a second to import

        return automations(self._server.records(), tables)
