"""How every sensor of ours ticks: on from the start, how often, and for how long. What a tick does belongs to each sensor."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import dagster as dg

#: Seconds between two looks.
INTERVAL = 30
#: Seconds after which a tick begins nothing more: Dagster ends it after a minute.
_BUDGET = 35

Tick = Callable[[dg.SensorEvaluationContext], dg.SensorResult | dg.SkipReason]


def sensor(name: str, description: str, **more: Any) -> Callable[[Tick], dg.SensorDefinition]:
    """Makes a sensor of a tick; `more` is Dagster's own, such as `target`."""
    running = dg.DefaultSensorStatus.RUNNING
    return dg.sensor(
        name=name, description=description, minimum_interval_seconds=INTERVAL, default_status=running, **more
    )


class Budget:
    """The time of one tick, which begins now."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    @property
    def is_spent(self) -> bool:
        """Whether what is left to do belongs to the next tick."""
        return time.monotonic() - self._begun > _BUDGET
