"""Columns with a closed set of values: each of them was seen often, so that no other is to be expected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.suggestions.base import Suggestion, listed, percent
from dq_pipelines.monitoring.suggestions.findings import Findings
from dq_pipelines.monitoring.suggestions.strangers import without_strangers

#: The largest set, and how often each of its values was seen at least. By Good and Toulmin, among as many rows again
#: the expected number of new values is that of values seen once, less those seen twice, and so on: nearly none.
_LARGEST, _OFTEN = 60, 5
#: So many rows there must be for each value.
_ROWS_FOR_EACH = 10
#: More values that differ in nothing but a number are no set: another number may come.
_NUMBERED = 12
#: The share of rows that may be left out as slips.
_LEFT_OUT = 0.1


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        if (found := closed_set(findings, column)) is not None:
            kept, rest = found
            rows = int(kept["count"].sum())
            why = f"{kept.height} values make up {percent(rows, column.seen)}, each in {int(kept['count'].min()):,} rows or more"  # type: ignore[arg-type]
            if not rest.is_empty():
                why += f"; {listed(rest['value'])} {'is' if rest.height == 1 else 'are'} far rarer"
            rule = {"type": "expect_column_values_to_be_in_set", "column": column.name, "value_set": _ordered(kept)}
            suggestion = Suggestion(rule, why, _confidence(kept))
            yield suggestion.broken_by(column.seen - rows, column.seen)


def _may_be_closed(column: ColumnProfile) -> bool:
    if column.reading.kind == "boolean":
        return column.is_text
    return column.reading.kind == "text" or (column.reading.kind == "integer" and not column.is_text)


def closed_set(findings: Findings, column: ColumnProfile) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """The values of the set and the slips that are left out of it, each with its count; None where the set is open."""
    if not _may_be_closed(column):
        return None
    slips = {*findings.misspelt.get(column.name, ()), *findings.outvoted.get(column.name, ())}
    values = column.values
    if values.height > _LARGEST + 1000 or column.seen < _ROWS_FOR_EACH * max(1, min(values.height, _LARGEST)):
        return None
    is_slip = pl.col("value").is_in(list(slips)) if slips else pl.lit(False)
    kept, rest = values.filter(~is_slip), values.filter(is_slip)
    if (found := without_strangers(kept)) is not None:
        kept, rest = found[0], pl.concat([rest, found[1]])
    if not 0 < kept.height <= _LARGEST or int(rest["count"].sum()) > _LEFT_OUT * column.seen:
        return None
    if int(kept["count"].min()) < _OFTEN or (kept.height == 1 and rest.is_empty()):  # type: ignore[arg-type]
        return None
    if column.reading.kind == "integer" and not _is_code(kept):
        return None
    if kept.height > _NUMBERED and column.is_text and _differ_in_numbers(kept):
        return None
    return (kept, rest) if findings.comes_throughout(column, kept["value"]) else None


def _differ_in_numbers(kept: pl.DataFrame) -> bool:
    """Whether the values are one word with many a number."""
    return kept.select(pl.col("value").str.replace_all("[0-9]+", "0")).to_series().n_unique() == 1


def _is_code(kept: pl.DataFrame) -> bool:
    """Whether numbers are but names of few kinds: a set of small numbers is told by its bounds."""
    numbers = kept["value"]
    least, greatest = int(numbers.min()), int(numbers.max())  # type: ignore[arg-type]
    return kept.height <= 12 and greatest - least + 1 > 2 * kept.height


def _ordered(kept: pl.DataFrame) -> list[Any]:
    return sorted(kept["value"])


def _confidence(kept: pl.DataFrame) -> float:
    """The more rows the rarest value has, the less likely is one that was not met."""
    rarest = int(kept["count"].min())  # type: ignore[arg-type]
    return 1 - 1 / (rarest + 1) if kept.height > 1 else 0.8
