"""The backends by name: each folder here with a `backend.py`, whose `BACKEND` is the class. A new folder is found by itself."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

from dq_pipelines.engine import backends
from dq_pipelines.engine.backends.base import Backend, StagingBackend
from dq_pipelines.errors import ConfigError, Problem, nearest

#: The backend that judges unless another is asked for, and by the rules that others lack.
DEFAULT = "polars"


def _folders() -> list[str]:
    found = (folder.name for folder in pkgutil.iter_modules(backends.__path__) if folder.ispkg)
    return [name for name in found if (Path(backends.__path__[0]) / name / "backend.py").is_file()]


#: The backends without the default one; none is imported until it is asked for.
OTHERS = tuple(name for name in _folders() if name != DEFAULT)
BACKENDS = (DEFAULT, *OTHERS)


def backend_class(name: str) -> type[Backend]:
    """The class of the backend of this name; raises ConfigError for an unknown name."""
    if name not in BACKENDS:
        wanted = ", ".join(BACKENDS)
        raise ConfigError([Problem("", 0, f"unknown engine '{name}'{nearest(name, BACKENDS)}, wanted {wanted}")])
    cls: type[Backend] = import_module(f"{backends.__name__}.{name}.backend").BACKEND
    return cls


def class_at(name: str) -> type[Backend]:
    """The class of the backend of this name or at this address; raises ConfigError for an unknown one."""
    scheme, mark, _ = name.partition("://")
    if not mark:
        return backend_class(name)
    for cls in map(backend_class, BACKENDS):
        if scheme in cls.schemes:
            return cls
    return backend_class(f"{scheme}://")  # the error names only the scheme: the rest may hold a password


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
