"""The strategies of anomaly detection: each file is one, by its name in YAML, and is found by itself."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dq_pipelines.monitoring.anomalies.strategy import Strategy

#: The names, `auto` first; no strategy is imported for them.
NAMES = tuple(
    sorted((module.name for module in pkgutil.iter_modules(__path__)), key=lambda name: (name != "auto", name))
)


def strategy_class(name: str) -> type[Strategy]:
    """Returns the strategy of this name, which is one of `NAMES`."""
    strategy: type[Strategy] = import_module(f"{__name__}.{name}").STRATEGY
    return strategy
