"""A shop with good and bad batches and sensors, and its app with `/metrics`, served over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import uvicorn
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_shared.error import SerializableErrorInfo
from starlette.applications import Starlette

from dq_pipelines.web.health import Health
from dq_pipelines.web.metrics import routes
from dq_pipelines_tests.web.conftest import site_of
from dq_pipelines_tests.workshop import Workshop

REPOSITORY = RemoteRepositoryOrigin(
    InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="dq_pipelines.definitions")), "__repository__"
)


def quiet_instance(root: Path) -> dg.DagsterInstance:
    """Dagster's records in a folder: threads of a server read them."""
    return dg.DagsterInstance.local_temp(str(root), overrides={"telemetry": {"enabled": False}})


def fill(shop: Workshop) -> None:
    """Orders of which one batch is good and the last is blocked, returns of which some rows are refused, and gold of both."""
    for name, action in (("orders", "block"), ("returns", "quarantine")):
        shop.table(
            name,
            f"""
            source: {{type: csv, path: "{{landing}}/{name}/*.csv"}}
            on_arrival: true
            silver:
              columns: {{id: int64, amount: float64}}
              rules:
                - {{type: expect_column_values_to_be_between, column: amount, max_value: 100, on_failure: {action}}}
            """,
        )
        shop.land(f"{name}/1.csv", "id,amount\n1,5\n2,6\n")
    shop.table("revenue", "gold: {sql: select sum(amount) as total from silver.returns}")
    assert shop.run("orders", "returns").success
    shop.land("returns/2.csv", "id,amount\n3,7\n4,500\n")
    assert shop.run("returns", "revenue").success
    shop.land("orders/2.csv", "id,amount\n3,500\n")
    assert not shop.run("orders").success
    for name in ("orders_arrivals", "returns_arrivals"):
        tick(shop.instance, name, TickStatus.SKIPPED, 300)


def tick(instance: dg.DagsterInstance, name: str, status: TickStatus, ago: float) -> None:
    """A tick of a sensor, as the daemon writes it down, begun so many seconds ago."""
    origin = RemoteInstigatorOrigin(REPOSITORY, name)
    data = SensorInstigatorData(min_interval=30)
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE, data)
    instance.add_instigator_state(state)
    began = time.time() - ago
    error = SerializableErrorInfo("no source", [], None) if status == TickStatus.FAILURE else None
    instance.create_tick(
        TickData(
            state.instigator_origin_id,
            name,
            InstigatorType.SENSOR,
            status,
            began,
            end_timestamp=began + 1,
            error=error,
            selector_id=state.selector_id,
        )
    )


def queue(shop: Workshop) -> str:
    """A run that waits in Dagster's queue."""
    job = shop.definitions.resolve_implicit_global_asset_job_def()
    origin = RemoteJobOrigin(REPOSITORY, job.name)
    return shop.instance.create_run_for_job(job, status=dg.DagsterRunStatus.QUEUED, remote_job_origin=origin).run_id


def another_batch(shop: Workshop, number: int) -> None:
    """The last verdict on returns once more, as that on another batch."""
    last = shop.history.latest("silver/returns")
    assert last is not None
    shop.history.record(replace(last, batch=f"b{number}", run_id=f"r{number}", started_at=datetime.now(UTC)))


@contextmanager
def serving(shop: Workshop) -> Iterator[int]:
    """The port of a server of `/metrics`."""
    health = Health(site_of(shop), None)
    app = Starlette(routes=routes(lambda: shop.project, shop.history, lambda: shop.instance, health=health))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + 20
        while not server.started and time.monotonic() < until:
            time.sleep(0.02)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
