"""The engines by name: adding one is adding its file and a line here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dq_pipelines.errors import ConfigError, Problem, nearest

if TYPE_CHECKING:
    from dq_pipelines.engine.backends.base import Engine

#: Where the class of each engine stands; Polars, the default, needs none. Imported when it is asked for.
ENGINES = {
    "duckdb": "dq_pipelines.engine.backends.duckdb.backend:DuckDB",
    "postgresql": "dq_pipelines.engine.backends.postgresql.backend:PostgreSQL",
    "spark": "dq_pipelines.engine.backends.spark.backend:Spark",
}

#: Which engine an address is one of, by what stands before its `://`.
ADDRESSES = {"postgresql": "postgresql", "postgres": "postgresql", "spark": "spark", "sc": "spark"}


def engine_class(name: str) -> type[Engine]:
    """The class of the engine of this name; raises ConfigError for a name that none has."""
    if name not in ENGINES:
        known = ["polars", *ENGINES]
        raise ConfigError([Problem("", 0, f"unknown engine '{name}'{nearest(name, known)}, wanted {', '.join(known)}")])
    module, cls = ENGINES[name].split(":")
    found: type[Engine] = getattr(import_module(module), cls)
    return found


def connected(name: str) -> Engine | None:
    """The engine of this name or at this address, ready to judge; None for Polars, which needs no connection."""
    if name == "polars":
        return None
    scheme, mark, _ = name.partition("://")
    if not mark:
        return engine_class(name)()
    # Of an unknown address only the scheme is told: the rest may hold a password.
    return engine_class(ADDRESSES.get(scheme, f"{scheme}://"))(name)


def owner(data: Any) -> Engine | None:
    """The engine whose own frame `data` is, through which its rows can be read; None for what lies nowhere else."""
    if isinstance(data, str | Path):
        return None
    return next((found() for found in map(engine_class, ENGINES) if found.owns(data)), None)
