"""Metrics of health: for each part, whether it is alive, and for how long it is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dq_pipelines.web.health import Health


@dataclass(frozen=True, eq=False)
class HealthCollector(Collector):
    """Checks health at each scrape, as `/api/v1/health` does."""

    health: Health

    def collect(self) -> Iterator[Metric]:
        problems, now = self.health.problems(), time.time()
        up = GaugeMetricFamily("dq_part_up", "Whether a part that the service depends on is alive", labels=["part"])
        down = GaugeMetricFamily(
            "dq_part_down_seconds", "Seconds since a part is not alive; 0 if it is alive", labels=["part"]
        )
        for part in self.health.hosted:
            since = [one.since or now for one in problems if one.part == part]
            up.add_metric([part], float(not since))
            down.add_metric([part], now - min(since) if since else 0.0)
        yield from (up, down)
