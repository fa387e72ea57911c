"""Defaults shared by all sensors: running by default, the interval, and the time budget of a tick."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import dagster as dg

#: Seconds between two ticks.
INTERVAL = 30
#: Seconds after which a tick starts no more work: Dagster ends it after a minute.
_BUDGET = 35

Tick = Callable[[dg.SensorEvaluationContext], dg.SensorResult | dg.SkipReason]


def sensor(name: str, description: str, **more: Any) -> Callable[[Tick], dg.SensorDefinition]:
    """Returns a decorator that makes a sensor; `more` are arguments of `dg.sensor`, such as `target`."""
    running = dg.DefaultSensorStatus.RUNNING
    return dg.sensor(
        name=name, description=description, minimum_interval_seconds=INTERVAL, default_status=running, **more
    )


class Budget:
    """The time budget of one tick. It begins when the object is created."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    @property
    def is_spent(self) -> bool:
        """Whether the remaining work must wait for the next tick."""
        return time.monotonic() - self._begun > _BUDGET
