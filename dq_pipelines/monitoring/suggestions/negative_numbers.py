"""Suggests rules for amounts that are never negative, except in a few rows."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dq_pipelines.config.sql_text import identifier
from dq_pipelines.monitoring.profile.inferred_type import read_values
from dq_pipelines.monitoring.suggestions.base import Suggestion, as_written, listed, mostly, percent, rows_of
from dq_pipelines.monitoring.suggestions.findings import Findings

_LEAST_ROWS = 100
#: Largest share of rare negative numbers, and how many times more numbers are equally close above 0 (the last, for one or
#: two negative rows). Numbers that merely spread across 0 have no such step there.
_RARE, _STEP, _STEP_OF_FEW = 0.005, 15, 30


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        if not column.inferred_type.is_number or column.seen < _LEAST_ROWS:
            continue
        numbers = pl.DataFrame(
            {
                "value": read_values(column.values, column.inferred_type).cast(pl.Float64),
                "count": column.values["count"],
            }
        ).filter(pl.col("value").is_finite())
        if not (rows := rarely_negative(numbers)):
            continue
        least = -1.0 if numbers.filter(pl.col("value") < 0)["value"].to_list() == [-1.0] else None
        if least is not None:
            continue  # -1 alone is a null marker, which the bounds exclude
        negative = numbers.filter(pl.col("value") < 0).sort("value")["value"]
        why = (
            f"{rows_of(rows)} of {column.seen:,} ({percent(rows, column.seen)}) are negative, such as "
            f"{listed([as_written(number) for number in negative], 2)}; all others are 0 or more"
        )
        admitted = mostly(rows, column.seen)
        if column.is_text:
            sql = f"try_cast({identifier(column.name)} as double) >= 0"
            yield Suggestion({"type": "expect_rows_sql", "sql": sql, "mostly": admitted}, why, 0.8)
        else:
            rule = {"type": "expect_column_values_to_be_between", "column": column.name, "min_value": 0}
            yield Suggestion({**rule, "mostly": admitted}, why, 0.8)


def rarely_negative(numbers: pl.DataFrame) -> int:
    """Counts rows with a negative number, if these are errors; else 0. `numbers` has `value` and `count`."""
    total = int(numbers["count"].sum() or 0)
    negative = numbers.filter(pl.col("value") < 0)
    rows = int(negative["count"].sum() or 0)
    if not 0 < rows <= _RARE * total:
        return 0
    ordered = negative.sort("value", descending=True)
    middle = -float(ordered["value"][int(ordered["count"].cum_sum().search_sorted(rows / 2))])
    near = int(numbers.filter(pl.col("value").is_between(0, middle))["count"].sum() or 0)
    as_near = int(negative.filter(pl.col("value") >= -middle)["count"].sum())
    return rows if near >= (_STEP if rows > 2 else _STEP_OF_FEW) * as_near else 0
