"""Suggests rules for columns whose set of values changes at some row, because the column's meaning changed."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.suggestions.base import Suggestion, listed, percent
from dq_pipelines.monitoring.suggestions.findings import Findings

_LEAST_ROWS, _MOST_VALUES, _OFTEN = 500, 60, 20
#: Least number of values in each part, and the share of the part over which each value's rows must spread.
_FEWEST, _THROUGHOUT = 2, 0.7


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        wanted = column.inferred_type.kind in ("text", "boolean") and 2 * _FEWEST <= column.distinct <= _MOST_VALUES
        if wanted and column.is_text and column.seen >= _LEAST_ROWS:
            yield from _of(findings, column)


def _of(findings: Findings, column: ColumnProfile) -> Iterator[Suggestion]:
    """Looks for two parts of the rows that share no value, with the values of each part mixed (unlike sorted rows)."""
    rows = findings.profile.sample.select(pl.col(exact(column.name)).alias("value")).with_row_index("row").drop_nulls()
    spans = rows.group_by("value").agg(pl.min("row").alias("first"), pl.max("row").alias("last"), pl.len().alias("n"))
    spans = spans.filter(pl.col("n") >= _OFTEN).sort("first")
    if spans.height < 2 * _FEWEST or int(spans["n"].sum()) < rows.height:
        return
    ends = spans["last"].cum_max()
    for place in range(_FEWEST, spans.height - _FEWEST + 1):
        if ends[place - 1] < spans["first"][place]:
            before, after = spans.head(place), spans.tail(spans.height - place)
            if _mixed(before) and _mixed(after):
                yield _suggestion(column, before, after)
            return


def _mixed(part: pl.DataFrame) -> bool:
    first, last = int(part["first"].min()), int(part["last"].max())  # type: ignore[arg-type]
    reach = (part["last"] - part["first"]).min()
    return int(reach) >= _THROUGHOUT * (last - first)  # type: ignore[arg-type]


def _suggestion(column: ColumnProfile, before: pl.DataFrame, after: pl.DataFrame) -> Suggestion:
    more, fewer = (before, after) if int(before["n"].sum()) >= int(after["n"].sum()) else (after, before)
    which = "last" if fewer is after else "first"
    rows = int(fewer["n"].sum())
    why = (
        f"the {which} {percent(rows, column.seen)} of the rows have values that no other row has, such as "
        f"{listed(fewer['value'], 3)}, and none of the other {more.height}"
    )
    rule = {"type": "expect_column_values_to_be_in_set", "column": column.name, "value_set": sorted(more["value"])}
    return Suggestion(rule, why, 0.7).broken_by(rows, column.seen)
