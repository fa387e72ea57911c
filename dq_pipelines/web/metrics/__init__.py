"""`/metrics`: what Prometheus scrapes. What is measured belongs in `history` and in Dagster's records; here it gets names.

Labels are tables with their domain, layers, stages, sides of quality and the names of sensors: as many as the project has, and
never a partition, a batch or a run, of which there are ever more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from dq_pipelines.history.queries.table_status import TableStatus, latest_statuses
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.project import Project
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.health import Health
from dq_pipelines.web.metrics.health import HealthCollector
from dq_pipelines.web.metrics.runs import RunsCollector
from dq_pipelines.web.metrics.tables import TablesCollector

if TYPE_CHECKING:
    import dagster as dg


def registry(
    project: Callable[[], Project],
    history: History,
    records: Callable[[], dg.DagsterInstance | None],
    stands: Callable[[], list[TableStatus]] | None = None,
    health: Health | None = None,
) -> CollectorRegistry:
    """A registry of our own, which asks for the project and the stores anew at each scrape; `records` are Dagster's.

    `stands` says where tables stand, with what the lake knows; without it, by history alone.
    """
    found = CollectorRegistry(auto_describe=False)
    found.register(TablesCollector(project, stands or (lambda: _by_history(history)), history))
    found.register(RunsCollector(records))
    if health is not None:
        found.register(HealthCollector(health))
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=found)
    return found


def _by_history(history: History) -> list[TableStatus]:
    return latest_statuses(history) if history.is_begun else []


def routes(
    project: Callable[[], Project],
    history: History,
    records: Callable[[], dg.DagsterInstance | None],
    stands: Callable[[], list[TableStatus]] | None = None,
    health: Health | None = None,
) -> list[BaseRoute]:
    """`/metrics`, as OpenMetrics to whom asks for it and as Prometheus' own text to everybody else."""
    scraped = registry(project, history, records, stands, health)

    def metrics(request: Request) -> Response:  # no coroutine: Starlette lets it wait for the stores in a thread
        rights = Rights.of(request.scope, project())
        if not rights.may_everywhere(Permission.LOOK):  # sums and runs are of all tables
            return JSONResponse({"error": rights.why_not(Permission.LOOK)}, 403)
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(scraped), headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    return [Route("/metrics", metrics)]
