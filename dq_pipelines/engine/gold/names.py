"""Names of columns that a gold table can have. Which types it takes belongs in `types`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dq_pipelines.errors import RuleError
from dq_pipelines.sources.names import is_reserved, key

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

#: What `SELECT *` gives of a partitioned table, and gold may keep.
_PARTITION = "_partition"


def must_be_publishable(place: str, names: Sequence[str]) -> None:
    """Raise RuleError where two columns have one name to Delta, or one has a name that no column may have."""
    if not names:
        raise RuleError(f"{place}: wanted a result with columns, got one without any")
    first: dict[str, str] = {}
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise RuleError(f"{place}: wanted a name for each column, got none for column {number}")
        if _CONTROL.search(name):
            raise RuleError(f"{place}: wanted names without control characters, got {name!r}")
        if is_reserved(name) and name != _PARTITION:
            raise RuleError(f"{place}: got column '{name}', a name that the lake keeps for itself: give it another one")
        if (folded := key(name)) in first:
            other = first[folded]
            raise RuleError(
                f"{place}: wanted one column for each name, got {_alike(other, name)}: give one another name"
            )
        first[folded] = name


def _alike(one: str, other: str) -> str:
    return f"'{one}' twice" if one == other else f"'{one}' and '{other}', which Delta does not tell apart"
