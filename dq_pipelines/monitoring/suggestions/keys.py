"""Suggests keys: one unique column, or else two or three columns together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

import polars as pl

from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.suggestions.base import Suggestion
from dq_pipelines.monitoring.suggestions.findings import Findings

#: Least rows: with fewer, values are unique by chance.
_LEAST_ROWS = 20
#: Largest share of repeated values in a column that is nearly a key, for example after a duplicate import.
_REPEATED = 0.005
#: The share of codes of one length, and of codes with a digit.
_AS_LONG, _WITH_DIGIT, _DIGIT = 0.95, 0.8, "[0-9]"
#: Most columns of a key, and most columns that are tried.
_WIDEST, _TRIED = 3, 8


def suggest(findings: Findings) -> Iterator[Suggestion]:
    rows = findings.profile.rows
    if rows < _LEAST_ROWS:
        return
    single = [column for column in findings if _may_be_key(column)]
    for column in single:
        rule = {"type": "expect_column_values_to_be_unique", "column": column.name}
        repeated = column.seen - column.values.height
        if findings.is_unique(column):
            yield Suggestion(rule, f"each of {column.count:,} values is different", _confidence(column))
        elif 0 < repeated <= _REPEATED * column.seen and (
            column.inferred_type.kind == "integer" or _is_code(column, repeated)
        ):
            yield Suggestion(rule, f"only {repeated:,} of {column.seen:,} values repeat an earlier one", 0.6)
    if not any(findings.is_unique(column) and not column.nulls for column in single):
        yield from _composite(findings)


def _may_be_key(column: ColumnProfile) -> bool:
    """Whether a column may be a key: no measure, date or time."""
    return column.inferred_type.kind in ("integer", "text") and column.null_share < 0.5


def _is_code(column: ColumnProfile, repeated: int) -> bool:
    """Whether texts are codes of one length that repeat far more often than by chance."""
    lengths = column.values.group_by(length=pl.col("value").str.len_chars()).agg(pl.sum("count")).sort("count")
    length, rows = lengths.row(-1)
    codes = column.values.filter(pl.col("value").str.len_chars() == length)["value"]
    if rows < _AS_LONG * column.seen or not codes.str.contains(_DIGIT).mean() >= _WITH_DIGIT:  # type: ignore[operator]
        return False
    space = math.prod(codes.str.slice(place, 1).n_unique() for place in range(length))
    return bool(rows**2 / (2 * space) <= repeated / 4)


def _confidence(column: ColumnProfile) -> float:
    """Returns the confidence: numbers and codes are keys; long texts may just never repeat."""
    long = column.inferred_type.kind == "text" and column.lengths is not None and column.lengths.mean > 40
    return (0.6 if long else 0.97) if column.count >= 100 else 0.7


def _composite(findings: Findings) -> Iterator[Suggestion]:
    """Yields the smallest set of columns that is unique together."""
    sample = findings.profile.sample
    if not findings.profile.is_whole:
        return  # a sample has few repetitions
    unique: list[Sequence[str]] = []
    for width in range(2, _WIDEST + 1):
        sets = combinations(_parts(findings), width)
        unique = [names for names in sets if not _repeats(sample, names)]
        if unique:
            break
    for names in unique[:1]:
        rule = {"type": "expect_compound_columns_to_be_unique", "column_list": list(names)}
        yield Suggestion(rule, f"no two of {sample.height:,} rows have the same values in them", 0.8)


def _repeats(sample: pl.DataFrame, names: Sequence[str]) -> bool:
    return bool(pl.DataFrame([sample.get_column(name) for name in names]).is_duplicated().any())


def _parts(findings: Findings) -> list[str]:
    """Returns columns for a composite key: without nulls, with repeated values, in the table's order."""
    kinds = ("integer", "text", "date", "datetime")
    complete = [column for column in findings if not column.nulls and column.inferred_type.kind in kinds]
    short = [column for column in complete if column.lengths is None or column.lengths.mean <= 40]
    parts = [column for column in short if 1 < column.distinct < 0.95 * column.count]
    return [column.name for column in parts][:_TRIED]
