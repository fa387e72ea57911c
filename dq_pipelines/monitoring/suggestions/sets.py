"""Suggests value sets for columns whose values were all seen often, so that no new value is expected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.suggestions.base import Suggestion, listed, percent
from dq_pipelines.monitoring.suggestions.findings import Findings
from dq_pipelines.monitoring.suggestions.rare_values import split_rare_values

#: The largest set, and the least rows of each value. By Good and Toulmin, the expected number of new values in as many
#: rows again is the number of values seen once, minus those seen twice, and so on: nearly none.
_LARGEST, _OFTEN = 60, 5
#: Least rows per value.
_ROWS_FOR_EACH = 10
#: More values that differ only in a number are no set: another number may follow.
_NUMBERED = 12
#: Largest share of rows that are left out as errors.
_LEFT_OUT = 0.1


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        if (closed := closed_set(findings, column)) is not None:
            kept, rest = closed
            rows = int(kept["count"].sum())
            why = f"{kept.height} values make up {percent(rows, column.seen)}, each in {int(kept['count'].min()):,} rows or more"  # type: ignore[arg-type]
            if not rest.is_empty():
                why += f"; {listed(rest['value'])} {'is' if rest.height == 1 else 'are'} far rarer"
            rule = {"type": "expect_column_values_to_be_in_set", "column": column.name, "value_set": _ordered(kept)}
            suggestion = Suggestion(rule, why, _confidence(kept))
            yield suggestion.broken_by(column.seen - rows, column.seen)


def _may_be_closed(column: ColumnProfile) -> bool:
    if column.inferred_type.kind == "boolean":
        return column.is_text
    return column.inferred_type.kind == "text" or (column.inferred_type.kind == "integer" and not column.is_text)


def closed_set(findings: Findings, column: ColumnProfile) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """Returns the values of the set and the errors left out of it, with counts; None where new values may come."""
    if not _may_be_closed(column):
        return None
    slips = {*findings.misspelt.get(column.name, ()), *findings.outvoted.get(column.name, ())}
    values = column.values
    if values.height > _LARGEST + 1000 or column.seen < _ROWS_FOR_EACH * max(1, min(values.height, _LARGEST)):
        return None
    is_slip = pl.col("value").is_in(list(slips)) if slips else pl.lit(False)
    kept, rest = values.filter(~is_slip), values.filter(is_slip)
    if (split := split_rare_values(kept)) is not None:
        kept, rest = split[0], pl.concat([rest, split[1]])
    if not 0 < kept.height <= _LARGEST or int(rest["count"].sum()) > _LEFT_OUT * column.seen:
        return None
    if int(kept["count"].min()) < _OFTEN or (kept.height == 1 and rest.is_empty()):  # type: ignore[arg-type]
        return None
    if column.inferred_type.kind == "integer" and not _is_code(kept):
        return None
    if kept.height > _NUMBERED and column.is_text and _differ_in_numbers(kept):
        return None
    return (kept, rest) if findings.comes_throughout(column, kept["value"]) else None


def _differ_in_numbers(kept: pl.DataFrame) -> bool:
    """Whether the values differ only in a number."""
    return kept.select(pl.col("value").str.replace_all("[0-9]+", "0")).to_series().n_unique() == 1


def _is_code(kept: pl.DataFrame) -> bool:
    """Whether numbers are codes of few kinds; a dense set of numbers gets bounds instead."""
    numbers = kept["value"]
    least, greatest = int(numbers.min()), int(numbers.max())  # type: ignore[arg-type]
    return kept.height <= 12 and greatest - least + 1 > 2 * kept.height


def _ordered(kept: pl.DataFrame) -> list[Any]:
    return sorted(kept["value"])


def _confidence(kept: pl.DataFrame) -> float:
    """Returns the confidence: the more rows the rarest value has, the less likely is an unseen one."""
    rarest = int(kept["count"].min())  # type: ignore[arg-type]
    return 1 - 1 / (rarest + 1) if kept.height > 1 else 0.8
