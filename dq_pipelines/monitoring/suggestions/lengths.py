"""Suggests rules on text lengths: one length for all values, or a maximum."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.suggestions.base import Suggestion, percent, rounded_out
from dq_pipelines.monitoring.suggestions.findings import Findings
from dq_pipelines.monitoring.suggestions.patterns import pattern_of
from dq_pipelines.monitoring.suggestions.sets import closed_set

_LEAST_ROWS, _LEAST_DISTINCT = 100, 10
#: Least share of values of the same length.
_SAME = 0.95


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        if not column.is_text or column.seen < _LEAST_ROWS or column.distinct < _LEAST_DISTINCT:
            continue
        if (
            column.inferred_type.kind != "text"
            or closed_set(findings, column) is not None
            or pattern_of(column) is not None
        ):
            continue  # a set or a pattern is more specific
        yield from _of(column)


def _of(column: ColumnProfile) -> Iterator[Suggestion]:
    lengths = column.values.group_by(length=pl.col("value").str.len_chars()).agg(pl.sum("count")).sort("count")
    length, rows = lengths.row(-1)
    if rows >= _SAME * column.seen:
        rule = {"type": "expect_column_value_lengths_to_equal", "column": column.name, "value": length}
        why = f"{percent(rows, column.seen)} of the values have {length} characters"
        yield Suggestion(rule, why, 0.85).broken_by(column.seen - rows, column.seen)
    elif column.lengths is not None:
        by_length = lengths.sort("length").with_columns(pl.col("count").cum_sum())
        longest, share = column.lengths.longest, 1 - max(0.01, 10 / column.seen)
        edge = by_length["length"][int(by_length["count"].search_sorted(share * column.seen))]
        most = int(rounded_out(max(2 * longest - edge, longest**2 / max(edge, 1), 1.2 * longest), up=True))
        rule = {"type": "expect_column_value_lengths_to_be_between", "column": column.name, "max_value": most}
        why = f"up to {longest} characters, {percent(share, 1)} up to {edge}"
        yield Suggestion(rule, why, 0.7)
