"""Does once, after a start, the work that the first reader of each page would wait for."""

from __future__ import annotations

import contextlib

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.routing import Route

from dq_pipelines.config.garbage import leave_out_what_there_is
from dq_pipelines.errors import DqError
from dq_pipelines.web.dashboard.files import SCHEMA, VERSIONED
from dq_pipelines.web.dashboard.listing import Listing
from dq_pipelines.web.dashboard.overview import overview
from dq_pipelines.web.dashboard.request_context import RequestContext
from dq_pipelines.web.dashboard.site import Site
from dq_pipelines.web.dashboard.templating import environment


def warm_up(app: Starlette, site: Site) -> None:
    """Read the project, the statuses and the lake, and prepare templates, the search and the documents of the API.

    A store that does not answer is not reported here: the pages say what is wrong.
    """
    for name in environment().list_templates():
        environment().get_template(name)
    _ = VERSIONED[SCHEMA]  # the editor's schema takes a second to make
    for route in app.routes:
        if isinstance(route, Route) and isinstance(route.app, FastAPI):
            route.app.openapi()
    with contextlib.suppress(DqError, SQLAlchemyError):
        known = site.known()
        overview(RequestContext.of(site, known), Listing())
        site.search_index(known.project)
    leave_out_what_there_is()
