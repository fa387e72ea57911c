"""Metrics that are worth to be held against their own past: the volume, the means of measures, the gaps of columns that have few."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dq_pipelines.config.counting import counted
from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.suggestions.base import percent
from dq_pipelines.monitoring.suggestions.findings import Findings

#: How many means and how many shares of gaps are watched: each is a check of its own.
_MOST = 4
#: A column with more gaps than this is hardly ever filled; with fewer values a number is a code, a whole one with more.
_GAPS, _LEAST_DISTINCT, _CODES = 0.5, 20, 60


@dataclass(frozen=True)
class Watched:
    """One metric, as `anomalies` has it, and why."""

    rule: dict[str, Any]
    why: str


def watched(findings: Findings) -> Iterator[Watched]:
    """What to watch from batch to batch."""
    yield Watched(
        {"metric": "row_count"},
        f"{counted(findings.profile.rows, 'row', 'was', 'were')} seen; how many come with a batch, its past tells",
    )
    measures = [column for column in findings if _is_measure(findings, column)]
    for column in measures[:_MOST]:
        yield Watched({"metric": "mean", "column": column.name}, f"a measure, {column.mean:.4g} on average")
    gappy = [column for column in findings if 0 < findings.gaps(column) <= _GAPS * column.rows]
    for column in gappy[:_MOST]:
        gaps = findings.gaps(column)
        yield Watched(
            {"metric": "null_share", "column": column.name, "direction": "up"},
            f"{percent(gaps, column.rows)} of the rows lack it; more would be news",
        )


def _is_measure(findings: Findings, column: ColumnProfile) -> bool:
    """Whether a column holds amounts: numbers of many values that neither count up nor name something."""
    if column.is_text or not column.reading.is_number or column.mean is None or column.distinct < _LEAST_DISTINCT:
        return False
    if column.reading.kind == "integer" and column.distinct <= _CODES:
        return False
    if column.reading.kind == "integer" and (findings.is_unique(column) or findings.determines(column)):
        return False
    return not findings.drifts(column)
