"""The engines that the contract suite runs on besides Polars, each the real thing, started once per test process."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from dq_pipelines.engine.backends.base import Engine
from dq_pipelines.engine.backends.registry import ENGINES, connected
from dq_pipelines_tests.contracts import postgresql, spark

NAMES = tuple(ENGINES)
#: Engines that are reached by an address, and who starts one to reach.
SERVERS: dict[str, Callable[[], str]] = {"postgresql": postgresql.server, "spark": spark.active}


@cache
def started(name: str) -> Engine:
    """The engine, connected."""
    engine = connected(SERVERS[name]() if name in SERVERS else name)
    assert engine is not None
    return engine
