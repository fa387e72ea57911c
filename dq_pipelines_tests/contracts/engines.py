"""The engines that the contract suite runs on besides Polars, each the real thing, started once per test process."""

from __future__ import annotations

from functools import cache

from dq_pipelines.engine.base import Engine
from dq_pipelines.engine.engines import ENGINES, engine_class

NAMES = tuple(ENGINES)


@cache
def started(name: str) -> Engine:
    """The engine, connected."""
    return engine_class(name)()
