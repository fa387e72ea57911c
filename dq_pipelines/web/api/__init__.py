"""The REST API: assembles the routers, one file per resource."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from dq_pipelines.web.api import (
    connectors,
    executions,
    health,
    job_files,
    jobs,
    live,
    quality,
    quarantine,
    rules,
    run_logs,
    runs,
    scheduler,
    sessions,
    tables,
    tokens,
)
from dq_pipelines.web.api.document import describe
from dq_pipelines.web.api.etags import ETags
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.open_routes import OPEN
from dq_pipelines.web.problem_details import add_error_handlers, problems

#: Under `/api/v1`; a new resource adds its router here.
ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    runs.router,
    live.router,
    jobs.router,
    executions.router,
    job_files.router,
    connectors.router,
    scheduler.router,
    tokens.router,
    sessions.router,
    run_logs.router,
    rules.router,
    tables.router,
    quarantine.router,
    quality.router,
)


def rest(behind: Backend) -> FastAPI:
    """The app, to be mounted at the root: it answers `/api…` and `/apikey`."""
    app = routes()
    app.state.backend = behind
    return app


def routes() -> FastAPI:
    """The app without a backend, for its OpenAPI document."""
    app = FastAPI(
        title="dq_pipelines",
        version=version("dq_pipelines"),
        summary="Tables, runs, rules, quarantine and quality",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        middleware=[Middleware(ETags)],
    )
    add_error_handlers(app)
    app.include_router(health.open_router)
    for router in ROUTERS:
        app.include_router(router, prefix="/api/v1", responses=problems(401, 403, 408, 413, 503))
    describe(app, OPEN)
    return app
