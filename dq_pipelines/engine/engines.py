"""The engines by name: adding one is adding its file and a line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from dq_pipelines.errors import ConfigError, Problem, nearest

if TYPE_CHECKING:
    from dq_pipelines.engine.base import Engine

#: Where the class of each engine stands; Polars, the default, needs none. Imported when it is asked for.
ENGINES = {
    "duckdb": "dq_pipelines.engine.duckdb:DuckDB",
}


def engine_class(name: str) -> type[Engine]:
    """The class of the engine of this name; raises ConfigError for a name that none has."""
    if name not in ENGINES:
        known = ["polars", *ENGINES]
        raise ConfigError([Problem("", 0, f"unknown engine '{name}'{nearest(name, known)}, wanted {', '.join(known)}")])
    module, cls = ENGINES[name].split(":")
    found: type[Engine] = getattr(import_module(module), cls)
    return found


def connected(name: str) -> Engine | None:
    """The engine of this name, ready to judge; None for Polars, which needs no connection."""
    return None if name == "polars" else engine_class(name)()
