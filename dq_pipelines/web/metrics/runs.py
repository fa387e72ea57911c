"""Metrics of Dagster's records: runs, the queue, and ticks of sensors and schedules."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import sqlalchemy as sa
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    import dagster as dg
    from dagster._core.scheduler.instigation import InstigatorTick


@dataclass(frozen=True, eq=False)
class RunsCollector(Collector):
    """Queries Dagster's storage at each scrape; `dq_dagster_up` is whether it answered."""

    #: called at each scrape; without an instance there are no metrics
    records: Callable[[], dg.DagsterInstance | None]

    def collect(self) -> Iterator[Metric]:
        instance = self.records()
        if instance is None:
            return
        up = GaugeMetricFamily("dq_dagster_up", "Whether Dagster's storage answered")
        try:
            found = [_runs(instance), _waiting(instance), *_ticks(instance)]
        except sa.exc.SQLAlchemyError:
            found = []
        up.add_metric([], float(bool(found)))
        yield from [up, *found]


def _runs(instance: dg.DagsterInstance) -> Metric:
    import dagster as dg

    family = GaugeMetricFamily("dq_dagster_runs", "Runs in Dagster's records, by their status", labels=["status"])
    for status in dg.DagsterRunStatus:
        family.add_metric([status.value], instance.get_runs_count(dg.RunsFilter(statuses=[status])))
    return family


def _waiting(instance: dg.DagsterInstance) -> Metric:
    import dagster as dg

    queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])
    oldest = instance.get_run_records(queued, limit=1, ascending=True)
    waited = max(time.time() - oldest[0].create_timestamp.timestamp(), 0.0) if oldest else 0.0
    description = "Seconds that the oldest run has waited in the queue"
    return GaugeMetricFamily("dq_dagster_queue_wait_seconds", description, value=waited)


def _ticks(instance: dg.DagsterInstance) -> Iterator[Metric]:
    """The last tick of every running sensor and schedule, and whether it failed."""
    from dagster._core.scheduler.instigation import InstigatorType, TickStatus

    labels = ["kind", "name"]
    lag = GaugeMetricFamily(
        "dq_sensor_lag_seconds", "Seconds since a sensor's tick is due, beyond its interval", labels=["name"]
    )
    last = GaugeMetricFamily("dq_tick_timestamp_seconds", "When a sensor or schedule last ticked", labels=labels)
    failed = GaugeMetricFamily("dq_tick_failed", "Whether the last tick failed", labels=labels)
    states = [state for state in instance.all_instigator_state() if state.is_running]
    ticks = instance.get_batch_ticks([state.selector_id for state in states], limit=1)
    for state in states:
        tick = next(iter(ticks.get(state.selector_id, ())), None)
        if tick is None:
            continue
        name = [state.instigator_type.value.lower(), state.instigator_name]
        last.add_metric(name, tick.timestamp)
        failed.add_metric(name, float(tick.status == TickStatus.FAILURE))
        if state.instigator_type == InstigatorType.SENSOR:
            interval = getattr(state.instigator_data, "min_interval", None) or 30
            lag.add_metric([state.instigator_name], max(time.time() - _ended(tick) - interval, 0.0))
    yield from (lag, last, failed)


def _ended(tick: InstigatorTick) -> float:
    """When a tick ended; if it is under way, when it began."""
    return float(tick.tick_data.end_timestamp or tick.timestamp)


@cache
def records_of_environment() -> dg.DagsterInstance | None:
    """Dagster's instance under `DAGSTER_HOME`, opened once; None if the variable is not set."""
    import dagster as dg

    return dg.DagsterInstance.get() if os.environ.get("DAGSTER_HOME") else None
