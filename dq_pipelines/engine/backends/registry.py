"""The backends by name. To add one, add its folder and a line here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from dq_pipelines.engine.backends.base import Backend, StagingBackend
from dq_pipelines.errors import ConfigError, Problem, nearest

#: The backend that judges unless another is asked for, and by the rules that others lack.
DEFAULT = "polars"

#: Where the class of each backend is. It is imported when it is asked for.
BACKENDS = {
    "polars": "dq_pipelines.engine.backends.polars.backend:Polars",
    "duckdb": "dq_pipelines.engine.backends.duckdb.backend:DuckDB",
    "postgresql": "dq_pipelines.engine.backends.postgresql.backend:PostgreSQL",
    "spark": "dq_pipelines.engine.backends.spark.backend:Spark",
}
OTHERS = tuple(name for name in BACKENDS if name != DEFAULT)

#: To which backend an address belongs, by what stands before its `://`.
ADDRESSES = {"postgresql": "postgresql", "postgres": "postgresql", "spark": "spark", "sc": "spark"}


def backend_class(name: str) -> type[Backend]:
    """The class of the backend of this name; raises ConfigError for an unknown name."""
    if name not in BACKENDS:
        names = list(BACKENDS)
        raise ConfigError([Problem("", 0, f"unknown engine '{name}'{nearest(name, names)}, wanted {', '.join(names)}")])
    module, class_name = BACKENDS[name].split(":")
    cls: type[Backend] = getattr(import_module(module), class_name)
    return cls


def class_at(name: str) -> type[Backend]:
    """The class of the backend of this name or at this address; raises ConfigError for an unknown one."""
    scheme, mark, _ = name.partition("://")
    # The error names only the scheme of an unknown address: the rest may hold a password.
    return backend_class(ADDRESSES.get(scheme, f"{scheme}://") if mark else name)


def connect(name: str = DEFAULT) -> Backend:
    """The backend of this name or at this address, ready to judge.

    Raises ConfigError for an unknown name or address, SourceError when nothing answers at the address.
    """
    cls = class_at(name)
    backend = cls(name) if "://" in name else cls()
    if backend.name != DEFAULT:
        backend.reference = connect(DEFAULT)
    return backend


def staging_backend(name: str = DEFAULT) -> StagingBackend:
    """The backend that a pipeline runs on; raises ConfigError, before it connects, for one that cannot write rows."""
    cls = class_at(name)
    if not cls.can_stage:
        able = [known for known in BACKENDS if backend_class(known).can_stage]
        raise ConfigError(
            [Problem("", 0, f"engine '{cls.name}' judges rows but writes none, wanted {', '.join(able)}")]
        )
    backend = connect(name)
    if not isinstance(backend, StagingBackend):
        raise TypeError(f"{type(backend).__name__} has can_stage set and is no StagingBackend")
    return backend


def owner(data: Any) -> Backend | None:
    """The backend, other than the default one, whose own frame `data` is; None where there is no such."""
    if isinstance(data, str | Path):
        return None
    return next((connect(name) for name in OTHERS if backend_class(name).owns(data)), None)
