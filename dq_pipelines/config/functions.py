"""Python of the user's own, named in YAML as `package.module:name`. It is imported by name; nothing is evaluated from YAML."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from dq_pipelines.config.model import shown
from dq_pipelines.errors import nearest

#: What the user's module may raise when it is imported. (A bug of ours would not be among the user's lines.)
_RAISED = (
    ImportError, SyntaxError, ArithmeticError, AttributeError, LookupError, NameError, OSError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip


_forbidden: ContextVar[bool] = ContextVar("forbidden", default=False)


@contextmanager
def importing_nothing() -> Iterator[None]:
    """Until the block ends, naming Python of the user's own is an error: what is read came from somebody who may not."""
    token = _forbidden.set(True)
    try:
        yield
    finally:
        _forbidden.reset(token)


def must_be_allowed(path: str) -> None:
    """Raise ValueError where Python of the user's own must not be used just now."""
    if _forbidden.get():
        raise ValueError(f"wanted no Python from afar unless by an admin of everything, got {shown(path)}")


def named(path: str) -> Any:
    """What `package.module:name` names; raises ValueError, in one sentence with the nearest name, when there is none."""
    must_be_allowed(path)
    module_name, _, name = path.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), name]):
        raise ValueError(f"wanted package.module:name, got {shown(path)}")
    try:
        module = importlib.import_module(module_name)
    except _RAISED as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise ValueError(f"{path}: no module '{error.name}'{nearest(error.name, _beside(error.name))}") from None
        raise ValueError(f"{path}: importing {module_name} raised {type(error).__name__}: {error}") from None
    if not hasattr(module, name):
        public = [known for known in vars(module) if not known.startswith("_")]
        raise ValueError(f"{path}: module '{module_name}' has no '{name}'{nearest(name, public)}")
    return getattr(module, name)


def _beside(module: str) -> list[str]:
    """The modules that lie where this one was looked for."""
    package, dot, _ = module.rpartition(".")
    paths = importlib.import_module(package).__path__ if package else None
    return [f"{package}{dot}{found.name}" for found in pkgutil.iter_modules(paths)]
