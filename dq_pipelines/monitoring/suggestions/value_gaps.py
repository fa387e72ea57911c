"""Suggests rules for numbers in two clusters, on the few values in the gap between them."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dq_pipelines.config.sql_text import identifier
from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.profile.inferred_type import read_values
from dq_pipelines.monitoring.suggestions.base import Suggestion, mostly, rounded_out, rows_of
from dq_pipelines.monitoring.suggestions.findings import Findings

_LEAST_ROWS, _LEAST_DISTINCT, _BINS = 1_000, 100, 50
#: A gap is at least so many bins wide, holds at most this share of the rows, and has this share of them on either side.
_WIDE, _FEW, _CLUSTER = 5, 0.0005, 0.1


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        measures = column.inferred_type.kind in ("decimal", "float") or (
            column.inferred_type.kind == "integer" and not findings.determines(column)
        )
        if measures and column.seen >= _LEAST_ROWS and column.distinct >= _LEAST_DISTINCT:
            yield from _of(column)


def _of(column: ColumnProfile) -> Iterator[Suggestion]:
    numbers = pl.DataFrame(
        {"value": read_values(column.values, column.inferred_type).cast(pl.Float64), "count": column.values["count"]}
    ).filter(pl.col("value").is_finite())
    total = int(numbers["count"].sum())
    gap = _widest_gap(numbers.sort("value"), total)
    if gap is None:
        return
    low, high, rows = gap
    name = identifier(column.name)
    number = f"try_cast({name} as double)" if column.is_text else name
    why = f"{rows_of(rows)} of {total:,} lie between {low:g} and {high:g}; all others are below or above"
    rule = {"type": "expect_rows_sql", "sql": f"{number} <= {low:g} or {number} >= {high:g}"}
    yield Suggestion({**rule, "mostly": mostly(rows, total)}, why, 0.7)


def _widest_gap(numbers: pl.DataFrame, total: int) -> tuple[float, float, int] | None:
    """Returns the ends of the first wide gap with a few rows in it, and the number of these rows; None without one."""
    upto, value = numbers["count"].cum_sum(), numbers["value"]
    least, most = (float(value[int(upto.search_sorted(share * total))]) for share in (0.005, 0.995))
    width = (most - least) / _BINS
    if width <= 0:
        return None
    bins = [0] * _BINS
    for number, count in numbers.rows():
        if least <= number <= most:
            bins[min(_BINS - 1, int((number - least) / width))] += count
    start = None
    for place in range(_BINS + 1):
        sparse = place < _BINS and bins[place] <= max(1.0, _FEW / 10 * total)
        if sparse and start is None:
            start = place
        elif not sparse and start is not None:
            rows = sum(bins[start:place])
            cluster = min(sum(bins[:start]), sum(bins[place:]))
            if place - start >= _WIDE and 0 < rows <= _FEW * total and cluster >= _CLUSTER * total:
                return rounded_out(least + start * width, up=True), rounded_out(least + place * width, up=False), rows
            start = None
    return None
