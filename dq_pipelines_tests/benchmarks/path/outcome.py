"""What a tool is to make of lineitem with seeded faults: rows kept, rows refused, and the rows that fail each rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dq_pipelines_tests.benchmarks.suite import COLUMNS, RULES, UNIQUE, truth

#: The rules on rows without the compound key, as positions in `suite.RULES`.
ROW_RULES = tuple(range(UNIQUE))
#: Those that refuse nulls.
NOT_NULL = tuple(range(len(COLUMNS)))

#: Rows kept, rows refused, then, where the tool counts them, the rows that fail each of its rules.
Outcome = list[int]


def expected(rows: int, judged: Sequence[int] = ROW_RULES) -> Outcome:
    """The outcome of the rules at these positions: no seeded fault stands beside another, so each refuses rows of its own."""
    counts = [int(count) for rule, count in enumerate(truth(rows, faulty=True)) if rule in judged and count is not None]
    return [rows - sum(counts), sum(counts), *counts]


def is_right(found: Sequence[Any], rows: int, judged: Sequence[int] = ROW_RULES) -> bool:
    return list(found) == expected(rows, judged)[: len(found)]


def rules(**arguments: Any) -> list[dict[str, Any]]:
    """The rules on rows as YAML has them, each with these further arguments."""
    return [{"type": kind, **given, **arguments} for kind, given in RULES[:UNIQUE]]
