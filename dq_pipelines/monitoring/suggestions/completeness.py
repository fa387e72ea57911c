"""Suggests rules on nulls, for columns without nulls, with few, and with many."""

from __future__ import annotations

from collections.abc import Iterator

from dq_pipelines.config.counting import counted
from dq_pipelines.monitoring.suggestions.base import Suggestion, mostly, percent
from dq_pipelines.monitoring.suggestions.findings import Findings

#: Up to the first null share a value is expected in each row; up to the second, at least as many values as were seen.
_FEW, _MANY = 0.1, 0.8


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        rows, nulls = column.rows, findings.gaps(column)
        rule = {"type": "expect_column_values_to_not_be_null", "column": column.name}
        if not nulls:
            # By the rule of succession, one null among as many rows again would be no surprise.
            yield Suggestion(
                rule, f"none of {counted(rows, 'row')} lacks it", rows / (rows + 1) if rows > 20 else rows / 40
            )
        elif nulls <= _FEW * rows or (column.name in findings.dependencies and 2 * nulls <= rows):
            # A value that other columns determine should always exist.
            why = f"{nulls:,} of {rows:,} rows lack it ({percent(nulls, rows)})"
            yield Suggestion({**rule, "mostly": mostly(nulls, rows)}, why, 0.8)
        elif nulls <= _MANY * rows:
            why = f"{percent(rows - nulls, rows)} of {rows:,} rows have it"
            kind = "expect_column_proportion_of_non_null_values_to_be_between"
            least = mostly(nulls, rows)
            yield Suggestion({"type": kind, "column": column.name, "min_value": least}, why, 0.6)
