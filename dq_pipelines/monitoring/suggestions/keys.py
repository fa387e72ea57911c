"""What tells rows apart: one column, or else two or three together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

import polars as pl

from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.suggestions.base import Suggestion
from dq_pipelines.monitoring.suggestions.findings import Findings

#: Too few rows to tell a key from chance.
_LEAST_ROWS = 20
#: Of one column that is nearly a key, so many values may repeat: an import that was made twice, a number given twice.
_REPEATED = 0.005
#: The share of codes that are of one length, and of those that have a digit.
_AS_LONG, _WITH_DIGIT, _DIGIT = 0.95, 0.8, "[0-9]"
#: How many columns make a key at most, and how many are tried.
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
            yield Suggestion(rule, f"each of {column.count:,} values is another", _confidence(column))
        elif 0 < repeated <= _REPEATED * column.seen and (
            column.reading.kind == "integer" or _is_code(column, repeated)
        ):
            yield Suggestion(rule, f"{repeated:,} of {column.seen:,} values come again", 0.6)
    if not any(findings.is_unique(column) and not column.nulls for column in single):
        yield from _composite(findings)


def _may_be_key(column: ColumnProfile) -> bool:
    """Whether a column may tell rows apart: no measure, and no moment."""
    return column.reading.kind in ("integer", "text") and column.null_share < 0.5


def _is_code(column: ColumnProfile, repeated: int) -> bool:
    """Whether texts are codes of one length of which far fewer would be alike by chance than are."""
    lengths = column.values.group_by(length=pl.col("value").str.len_chars()).agg(pl.sum("count")).sort("count")
    length, rows = lengths.row(-1)
    codes = column.values.filter(pl.col("value").str.len_chars() == length)["value"]
    if rows < _AS_LONG * column.seen or not codes.str.contains(_DIGIT).mean() >= _WITH_DIGIT:  # type: ignore[operator]
        return False
    space = math.prod(codes.str.slice(place, 1).n_unique() for place in range(length))
    return bool(rows**2 / (2 * space) <= repeated / 4)


def _confidence(column: ColumnProfile) -> float:
    """Numbers and codes are keys; texts that never repeat may be but long."""
    long = column.reading.kind == "text" and column.lengths is not None and column.lengths.mean > 40
    return (0.6 if long else 0.97) if column.count >= 100 else 0.7


def _composite(findings: Findings) -> Iterator[Suggestion]:
    """The narrowest sets of columns whose values come together once, which each of them is needed for."""
    sample = findings.profile.sample
    if not findings.profile.is_whole:
        return  # among some of the rows, few come twice
    found: list[Sequence[str]] = []
    for width in range(2, _WIDEST + 1):
        sets = combinations(_parts(findings), width)
        found = [names for names in sets if not _repeats(sample, names)]
        if found:
            break
    for names in found[:1]:
        rule = {"type": "expect_compound_columns_to_be_unique", "column_list": list(names)}
        # Of so few pairs of rows that are alike in one column, chance alone would leave some alike in the others, too.
        yield Suggestion(rule, f"no two of {sample.height:,} rows are alike in them", 0.8)


def _repeats(sample: pl.DataFrame, names: Sequence[str]) -> bool:
    return bool(pl.DataFrame([sample.get_column(name) for name in names]).is_duplicated().any())


def _parts(findings: Findings) -> list[str]:
    """The columns that a composite key may be made of: without gaps, each value several times; first ones first."""
    kinds = ("integer", "text", "date", "datetime")
    known = [column for column in findings if not column.nulls and column.reading.kind in kinds]
    short = [column for column in known if column.lengths is None or column.lengths.mean <= 40]
    parts = [column for column in short if 1 < column.distinct < 0.95 * column.count]
    return [column.name for column in parts][:_TRIED]
