"""What a rule may ask an engine to find out beside the scan, because no expression over one row says it.

Each answer comes back to the rule as one boolean column, by `Columns.aside(aside)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Repeats:
    """True where the row's key occurs more than once among the rows that the rule judges."""

    columns: tuple[str, ...]
    #: rows to leave out: their whole key is missing, or any part of it, or none
    ignore: str = "all_values_are_missing"
    #: the rule's `row_condition`, since a key repeats only among the rows the rule is about
    row_condition: str | None = None


@dataclass(frozen=True)
class Exists:
    """True where the value is found in column `key` of `table`; null where the value is missing."""

    column: str
    #: `<layer>/<table>`
    table: str
    key: str


@dataclass(frozen=True)
class RowSql:
    """True where the SQL condition holds for the row; null where it is null."""

    sql: str


@dataclass(frozen=True)
class PythonRegex:
    """True where Python's `re.search` finds the patterns in the value's text; null where it is missing.

    Asked for patterns that no engine's own regex reads as Python does. The text is `Value.text`; engines
    answer by looking at each distinct text once.
    """

    column: str
    patterns: tuple[str, ...]
    #: whether one pattern is enough, or each must be found
    match_on: Literal["any", "all"] = "any"

    def finds(self, text: str) -> bool:
        """The answer for one text."""
        found = (re.search(pattern, text) is not None for pattern in self.patterns)
        return any(found) if self.match_on == "any" else all(found)


Aside = Repeats | Exists | RowSql | PythonRegex
