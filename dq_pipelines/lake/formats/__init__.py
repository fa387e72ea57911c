"""Finds the table formats: each is a module or folder here with a `FORMAT`."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any

from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.lake.formats.base import TableFormat
from dq_pipelines.lake.formats.snapshot import Place

#: The format of a table that does not exist yet.
DEFAULT = "delta"

#: Modules here that are no formats.
_NO_FORMATS = ("base", "commit", "snapshot", "storable")


@cache
def names() -> tuple[str, ...]:
    """The names of all formats, in alphabetical order, without importing them."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name not in _NO_FORMATS))


@cache
def named(name: str) -> TableFormat:
    """The format of this name; raises ConfigError for an unknown name."""
    if name not in names():
        wanted = ", ".join(names())
        raise ConfigError([Problem("", 0, f"wanted a table format ({wanted}), got '{name}'{nearest(name, names())}")])
    found: Any = import_module(f"{__name__}.{name}")
    return found.FORMAT  # type: ignore[no-any-return]


def format_at(place: Place) -> TableFormat:
    """The format of the table at a place, or the default where there is none; raises OSError."""
    first = named(DEFAULT)
    others = [name for name in names() if name != DEFAULT]
    if not others or first.lies_at(place):
        return first
    return next((each for each in map(named, others) if each.lies_at(place)), first)
