"""Computes quality scores of tables and domains, in total and by dimension, from the tables' current status.

A rule's score is the share of judged rows that meet it; 1 or 0 for a rule on the whole table. A dimension's score is the
mean over its rules, a table's score the mean over all its rules. Partitions are weighted by rows. A domain's score is the
mean over its tables. All scores are in percent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dq_pipelines.history.queries.series import DIMENSIONS
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.records import NON_QUALITY_RULES, VerdictRecord


@dataclass(frozen=True)
class Score:
    """A quality score in percent."""

    total: float
    #: only dimensions that have rules, in the order of DIMENSIONS
    dimensions: Mapping[str, float] = field(default_factory=dict)


def score_of(table: TableStatus) -> Score | None:
    """Returns the current score of a table; None where nothing was judged yet."""
    if table.score is None:
        return None
    dimensions = {}
    for dimension in DIMENSIONS:
        parts = [
            (verdict.rows_in, mean) for verdict in table.verdicts if (mean := _mean(verdict, dimension)) is not None
        ]
        if parts:
            rows = sum(rows for rows, _ in parts)
            dimensions[dimension] = sum(mean * (count if rows else 1) for count, mean in parts) / (rows or len(parts))
    return Score(table.score, dimensions)


def score_of_all(scores_of_tables: Iterable[Score | None]) -> Score | None:
    """Returns the mean score of several tables, such as a domain's; None without any."""
    scores = [score for score in scores_of_tables if score is not None]
    if not scores:
        return None
    dimensions = {}
    for dimension in DIMENSIONS:
        of_tables = [score.dimensions[dimension] for score in scores if dimension in score.dimensions]
        if of_tables:
            dimensions[dimension] = sum(of_tables) / len(of_tables)
    return Score(sum(score.total for score in scores) / len(scores), dimensions)


def _mean(verdict: VerdictRecord, dimension: str) -> float | None:
    scores = [
        result.score
        for result in verdict.results
        if result.dimension == dimension and result.rule not in NON_QUALITY_RULES
    ]
    return 100 * sum(scores) / len(scores) if scores else None
