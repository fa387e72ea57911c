"""The pages of pipelines."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from dq_pipelines.web.auth.authorization import may_open_of
from dq_pipelines.web.dashboard.page_server import PageServer
from dq_pipelines.web.dashboard.pipelines_page import new_pipeline_page, pipeline_page, pipelines_page
from dq_pipelines.web.navigation import EDITING, PIPELINES


class PipelinePages:
    """All pipelines, a page for each, and one for a new one."""

    def __init__(self, server: PageServer) -> None:
        self._server = server

    def routes(self) -> list[Route]:
        return [
            Route("/pipelines", self.pipelines),
            Route("/pipelines/{name}", self.pipeline),
            Route("/new-pipeline", self.new_pipeline),
        ]

    def pipelines(self, request: Request) -> HTMLResponse:
        may_create = may_open_of(request.scope)(EDITING)
        view = pipelines_page(self._server.visit(request), self._server.files(request), may_create=may_create)
        return self._server.page(request, "pipelines", view, section=PIPELINES)

    def pipeline(self, request: Request) -> HTMLResponse:
        name = request.path_params["name"]
        view = pipeline_page(self._server.files(request), name, request.query_params.get("version", ""))
        if view is None:
            return self._server.missing(request, f"There is no pipeline {name} that you may view.")
        return self._server.page(request, "pipeline", view, section=PIPELINES)

    def new_pipeline(self, request: Request) -> HTMLResponse:
        view = new_pipeline_page(self._server.files(request), may_create=may_open_of(request.scope)(EDITING))
        return self._server.page(request, "pipeline", view, section=PIPELINES)
