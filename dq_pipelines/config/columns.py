"""Escapes column names that Polars would read as patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable


def exact(name: str) -> str:
    """A selector that Polars reads as the column of exactly this name.

    Polars reads `*` as every column and `^…$` as a regex. For such a name the result is a regex that matches only this name.
    """
    is_pattern = name == "*" or (name.startswith("^") and name.endswith("$"))
    return f"^{re.escape(name)}$" if is_pattern else name


def exact_names(names: Iterable[str]) -> list[str]:
    """`exact` of each name."""
    return [exact(name) for name in names]
