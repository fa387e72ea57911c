"""The backends of the registry, each the real thing, started once per test process."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from dq_pipelines.engine.backends.base import Backend
from dq_pipelines.engine.backends.registry import BACKENDS, OTHERS, connect
from dq_pipelines.engine.backends.sql.query_engine import QueryEngine
from dq_pipelines_tests.contracts import postgresql, spark

#: All of them, and those that are judged by what Polars says.
EVERY, NAMES = tuple(BACKENDS), OTHERS
#: Backends that are reached by an address, and who starts one to reach.
SERVERS: dict[str, Callable[[], str]] = {"postgresql": postgresql.server, "spark": spark.active}


@cache
def started(name: str) -> Backend:
    """The backend, connected."""
    return connect(SERVERS[name]() if name in SERVERS else name)


def query_engine(name: str) -> QueryEngine:
    """A started backend with queries of its own."""
    backend = started(name)
    assert isinstance(backend, QueryEngine)
    return backend
