"""Imports the user's Python objects that YAML names as `package.module:name`; nothing is evaluated from YAML."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from dq_pipelines.config.model import shown
from dq_pipelines.errors import nearest

#: Errors that importing the user's module may raise.
_IMPORT_ERRORS = (
    ImportError, SyntaxError, ArithmeticError, AttributeError, LookupError, NameError, OSError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip


_forbidden: ContextVar[bool] = ContextVar("forbidden", default=False)


@contextmanager
def importing_nothing() -> Iterator[None]:
    """Refuse every import of the user's Python during the block: for files of authors without that permission."""
    token = _forbidden.set(True)
    try:
        yield
    finally:
        _forbidden.reset(token)


def must_be_allowed(path: str) -> None:
    """Raise ValueError within `importing_nothing`."""
    if _forbidden.get():
        raise ValueError(f"wanted no Python from afar unless by an admin of everything, got {shown(path)}")


def named(path: str) -> Any:
    """Import `package.module:name`; raises ValueError, with one sentence and the nearest name, if that fails."""
    must_be_allowed(path)
    module_name, _, name = path.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), name]):
        raise ValueError(f"wanted package.module:name, got {shown(path)}")
    try:
        module = importlib.import_module(module_name)
    except _IMPORT_ERRORS as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise ValueError(f"{path}: no module '{error.name}'{nearest(error.name, _siblings(error.name))}") from None
        raise ValueError(f"{path}: importing {module_name} raised {type(error).__name__}: {error}") from None
    if not hasattr(module, name):
        public = [known for known in vars(module) if not known.startswith("_")]
        raise ValueError(f"{path}: module '{module_name}' has no '{name}'{nearest(name, public)}")
    return getattr(module, name)


def _siblings(module: str) -> list[str]:
    """The modules in the package in which this one was looked for."""
    package, dot, _ = module.rpartition(".")
    paths = importlib.import_module(package).__path__ if package else None
    return [f"{package}{dot}{found.name}" for found in pkgutil.iter_modules(paths)]
