"""Quality scores: of a table or a domain, in all and by dimension, out of where its tables stand.

The score of a rule is the share of judged rows that meet it, 1 or 0 for a rule on the whole table. The score of a
dimension is the mean over the rules about it, that of a table the mean over all its rules; partitions count as much
as they have rows. The score of a domain is the mean over its tables. All are in percent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dq_pipelines.history.queries.series import DIMENSIONS
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.records import NO_RULES, VerdictRecord


@dataclass(frozen=True)
class Score:
    """How good something is, in percent."""

    total: float
    #: only of those that rules are about, in the order of DIMENSIONS
    dimensions: Mapping[str, float] = field(default_factory=dict)


def score_of(table: TableStatus) -> Score | None:
    """The score of a table as it stands; None where nothing was judged yet."""
    if table.score is None:
        return None
    found = {}
    for dimension in DIMENSIONS:
        parts = [
            (verdict.rows_in, mean) for verdict in table.verdicts if (mean := _mean(verdict, dimension)) is not None
        ]
        if parts:
            rows = sum(rows for rows, _ in parts)
            found[dimension] = sum(mean * (count if rows else 1) for count, mean in parts) / (rows or len(parts))
    return Score(table.score, found)


def score_of_all(tables: Iterable[TableStatus]) -> Score | None:
    """The score of several tables together, such as a domain's; None of none."""
    scores = [score for table in tables if (score := score_of(table)) is not None]
    if not scores:
        return None
    found = {}
    for dimension in DIMENSIONS:
        of_tables = [score.dimensions[dimension] for score in scores if dimension in score.dimensions]
        if of_tables:
            found[dimension] = sum(of_tables) / len(of_tables)
    return Score(sum(score.total for score in scores) / len(scores), found)


def _mean(verdict: VerdictRecord, dimension: str) -> float | None:
    scores = [
        result.score for result in verdict.results if result.dimension == dimension and result.rule not in NO_RULES
    ]
    return 100 * sum(scores) / len(scores) if scores else None
