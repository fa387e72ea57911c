"""Suggests rules for dates that are never on a weekend, in all rows or in rows of some kind, except for errors."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dq_pipelines.config.sql_text import identifier, literal
from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.profile.inferred_type import read_values
from dq_pipelines.monitoring.suggestions.base import Suggestion, listed, rows_of
from dq_pipelines.monitoring.suggestions.findings import Findings

_LEAST_ROWS, _MOST_KINDS = 500, 20
#: Largest share of weekend days that are errors (by chance it is 2 of 7), and the least share in rows of other kinds.
_FEW, _AS_USUAL = 0.005, 0.2


def suggest(findings: Findings) -> Iterator[Suggestion]:
    kinds = [
        column
        for column in findings
        if column.is_text and column.inferred_type.kind == "text" and 2 <= column.distinct <= _MOST_KINDS
    ]
    for column in findings:
        is_date = column.inferred_type.kind == "date" and not column.is_text  # SQL reads no weekday in a text
        if is_date and column.seen >= _LEAST_ROWS and column.distinct >= _MOST_KINDS:
            suggestion = _of(findings, column, kinds)
            if suggestion is not None:
                yield suggestion


def _of(findings: Findings, column: ColumnProfile, kinds: list[ColumnProfile]) -> Suggestion | None:
    sample = findings.profile.sample
    days = read_values(pl.DataFrame({"value": sample.get_column(column.name)}), column.inferred_type)
    weekend = (days.dt.weekday() >= 6).alias("weekend")
    rows, wrong = int(days.count()), int(weekend.sum() or 0)
    if wrong <= _FEW * rows:
        return _suggestion(column, None, [], wrong, rows)
    best = None
    for kind in kinds:
        counted = pl.DataFrame({"kind": sample.get_column(kind.name), "weekend": weekend}).drop_nulls()
        grouped = counted.group_by("kind").agg(pl.len().alias("rows"), pl.sum("weekend").alias("wrong"))
        few = grouped.filter((pl.col("rows") >= _LEAST_ROWS) & (pl.col("wrong") <= _FEW * pl.col("rows")))
        others = grouped.filter(~pl.col("kind").is_in(few["kind"].implode()))
        if few.is_empty() or others.is_empty() or (others["wrong"] / others["rows"]).min() < _AS_USUAL:  # type: ignore[operator]
            continue
        candidate = (int(few["rows"].sum()), int(few["wrong"].sum()), kind, sorted(few["kind"]))
        best = candidate if best is None or candidate[0] > best[0] else best
    return None if best is None else _suggestion(column, best[2], best[3], best[1], best[0])


def _suggestion(
    column: ColumnProfile, kind: ColumnProfile | None, values: list[str], wrong: int, rows: int
) -> Suggestion:
    sql = f"extract(isodow from {identifier(column.name)}) <= 5"
    why = f"{rows_of(wrong)} of {rows:,} are on a weekend" if wrong else f"none of {rows_of(rows)} is on a weekend"
    if kind is not None:
        sql = f"{identifier(kind.name)} not in ({', '.join(map(literal, values))}) or {sql}"
        why += f" where {kind.name} is {listed(values)}"
    return Suggestion({"type": "expect_rows_sql", "sql": sql}, why, 0.8, suspect=column.name).broken_by(wrong, rows)
