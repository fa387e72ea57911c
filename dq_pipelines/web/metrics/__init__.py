"""Serves `/metrics` for Prometheus, from history, Dagster's records and health.

Labels are domains, tables, layers, stages, quality dimensions and names of sensors. Partitions, batches and runs are never
labels, since their number grows without limit.
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
    """A registry that reads the project and the stores at each scrape; `records` returns Dagster's instance.

    `stands` returns the status of all tables, including what the lake knows; without it, history alone is used.
    """
    collectors = CollectorRegistry(auto_describe=False)
    collectors.register(TablesCollector(project, stands or (lambda: _by_history(history)), history))
    collectors.register(RunsCollector(records))
    if health is not None:
        collectors.register(HealthCollector(health))
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=collectors)
    return collectors


def _by_history(history: History) -> list[TableStatus]:
    return latest_statuses(history) if history.is_begun else []


def routes(
    project: Callable[[], Project],
    history: History,
    records: Callable[[], dg.DagsterInstance | None],
    stands: Callable[[], list[TableStatus]] | None = None,
    health: Health | None = None,
) -> list[BaseRoute]:
    """The route `/metrics`, as OpenMetrics if the client accepts it, else as Prometheus' text format."""
    scraped = registry(project, history, records, stands, health)

    def metrics(
        request: Request,
    ) -> Response:  # no coroutine: it waits for the stores, so Starlette runs it in a thread
        rights = Rights.of(request.scope, project())
        if not rights.may_everywhere(Permission.LOOK):  # sums and runs concern all tables
            return JSONResponse({"error": rights.why_not(Permission.LOOK)}, 403)
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(scraped), headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    return [Route("/metrics", metrics)]
