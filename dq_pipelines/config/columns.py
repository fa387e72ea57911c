"""The names of columns as Polars takes them. What types they may have belongs in `transforms.types`."""

from __future__ import annotations

import re
from collections.abc import Iterable


def exact(name: str) -> str:
    """What means the column of this name to Polars wherever it takes a column, and no pattern.

    It reads `*` as every column and `^…$` as a regex, so a file with such a header would be read otherwise than it is:
    a pattern that fits this one name is given instead.
    """
    is_pattern = name == "*" or (name.startswith("^") and name.endswith("$"))
    return f"^{re.escape(name)}$" if is_pattern else name


def exact_names(names: Iterable[str]) -> list[str]:
    """`exact` of each."""
    return [exact(name) for name in names]
