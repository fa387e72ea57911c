"""The REST API: each file with a `router` is a resource, and is found by itself."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware import Middleware

from dq_pipelines.web.api.document import describe
from dq_pipelines.web.api.etags import ETags
from dq_pipelines.web.api.health import open_router
from dq_pipelines.web.api.known_parameters import only_known_parameters
from dq_pipelines.web.backend import Backend
from dq_pipelines.web.open_routes import OPEN
from dq_pipelines.web.problem_details import add_error_handlers, problems


def routers() -> tuple[APIRouter, ...]:
    """The router of each file here that has one, in alphabetical order; they are served under `/api/v1`."""
    modules = (import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return tuple(module.router for module in modules if hasattr(module, "router"))


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
    app.include_router(open_router)
    for router in routers():
        app.include_router(
            router,
            prefix="/api/v1",
            responses=problems(401, 403, 408, 413, 422, 503),
            dependencies=[Depends(only_known_parameters)],
        )
    describe(app, OPEN)
    return app
