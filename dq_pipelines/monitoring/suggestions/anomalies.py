"""Suggests anomaly rules: on the row count, the means of measures, and the null shares of columns with few nulls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dq_pipelines.config.counting import counted
from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.suggestions.base import percent
from dq_pipelines.monitoring.suggestions.findings import Findings

#: Most rules on means, and on null shares: each is a check of its own.
_MOST = 4
#: Largest null share of a watched column; least distinct values of a measure; most distinct integers of a code.
_GAPS, _LEAST_DISTINCT, _CODES = 0.5, 20, 60


@dataclass(frozen=True)
class SuggestedMetric:
    """One suggested anomaly rule, as YAML has it, with the reason."""

    rule: dict[str, Any]
    why: str


def suggested_metrics(findings: Findings) -> Iterator[SuggestedMetric]:
    """Yields the metrics to watch from batch to batch."""
    yield SuggestedMetric(
        {"metric": "row_count"},
        f"{counted(findings.profile.rows, 'row', 'was', 'were')} seen; each batch is compared with earlier ones",
    )
    measures = [column for column in findings if _is_measure(findings, column)]
    for column in measures[:_MOST]:
        yield SuggestedMetric({"metric": "mean", "column": column.name}, f"a measure, {column.mean:.4g} on average")
    gappy = [column for column in findings if 0 < findings.gaps(column) <= _GAPS * column.rows]
    for column in gappy[:_MOST]:
        gaps = findings.gaps(column)
        yield SuggestedMetric(
            {"metric": "null_share", "column": column.name, "direction": "up"},
            f"{percent(gaps, column.rows)} of the rows lack it; more would be unusual",
        )


def _is_measure(findings: Findings, column: ColumnProfile) -> bool:
    """Whether a column holds amounts: numbers with many values that are no counters, codes or ids."""
    if column.is_text or not column.inferred_type.is_number or column.mean is None or column.distinct < _LEAST_DISTINCT:
        return False
    if column.inferred_type.kind == "integer" and column.distinct <= _CODES:
        return False
    if column.inferred_type.kind == "integer" and (findings.is_unique(column) or findings.determines(column)):
        return False
    return not findings.drifts(column)
