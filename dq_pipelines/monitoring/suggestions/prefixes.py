"""Suggests rules for codes whose prefix depends on another column: `GP-…` for type GP, a ZIP code by its state."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.config.sql_text import identifier, literal
from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.suggestions.base import Suggestion, listed, percent, rows_of
from dq_pipelines.monitoring.suggestions.findings import Findings

_LEAST_ROWS, _MOST_KINDS, _LEAST_DISTINCT, _LONGEST = 200, 60, 100, 4
#: Least rows of a kind, and the largest share of rows with another prefix.
_OFTEN, _BROKEN = 20, 0.005
#: Rows of the quick pretest.
_SOME = 10_000
#: Up to so many kinds, each gets a rule of its own.
_MOST_RULES = 6
_PLAIN = re.compile(r"[A-Za-z_][\w -]*")


def suggest(findings: Findings) -> Iterator[Suggestion]:
    kinds = [column for column in findings if _is_kind(column)]
    for code in findings:
        if code.is_text and code.distinct >= _LEAST_DISTINCT and code.inferred_type.kind in ("text", "integer"):
            candidates = [
                (kind, *each) for kind in kinds if kind is not code and (each := _of(findings, kind, code)) is not None
            ]
            if candidates:
                kind, best, broken, rows = min(candidates, key=lambda each: each[2] / each[3])
                yield from _suggestions(kind, code, best, broken, rows)


def _is_kind(column: ColumnProfile) -> bool:
    return (
        column.is_text
        and column.inferred_type.kind in ("text", "boolean")
        and 2 <= column.distinct <= _MOST_KINDS
        and column.seen >= _LEAST_ROWS
    )


def _of(findings: Findings, kind: ColumnProfile, code: ColumnProfile) -> tuple[pl.DataFrame, int, int] | None:
    pairs = findings.profile.sample.select(
        pl.col(exact(kind.name)).alias("kind"), pl.col(exact(code.name)).alias("code")
    ).drop_nulls()
    if pairs.height < _LEAST_ROWS or _starts(pairs.sample(min(_SOME, pairs.height), seed=1), 1) is None:
        return None
    for length in range(_LONGEST, 0, -1):
        if (starts := _starts(pairs, length)) is not None:
            return starts
    return None


def _starts(pairs: pl.DataFrame, length: int) -> tuple[pl.DataFrame, int, int] | None:
    """Returns the prefix of each kind (`kind`, `start`, `rows`), the rows with another prefix, and all rows."""
    start = pl.col("code").str.slice(0, length).alias("start")
    counted = pairs.group_by("kind", start).agg(pl.len().alias("rows"))
    best = counted.sort("rows", "start", descending=[True, False]).group_by("kind", maintain_order=True).first()
    best = best.filter(pl.col("rows") >= _OFTEN)
    of_kinds = counted.filter(pl.col("kind").is_in(best["kind"].implode()))
    rows, right = int(of_kinds["rows"].sum()), int(best["rows"].sum())
    # If all codes have the same prefix, it does not depend on the kind.
    several = best["start"].n_unique() >= max(2, 0.5 * best.height)
    if not several or rows < 0.99 * pairs.height or rows - right > _BROKEN * rows:
        return None
    return best, rows - right, rows


def _suggestions(
    kind: ColumnProfile, code: ColumnProfile, best: pl.DataFrame, broken: int, rows: int
) -> Iterator[Suggestion]:
    begins = best.sort("kind").select("kind", "start").rows()
    shown = [f"{start} where {kind.name} is {name}" for name, start in begins]
    why = f"{code.name} begins as {kind.name} says in {percent(rows - broken, rows)} of the rows: {listed(shown, 3)}"
    if broken:
        why += f"; in {rows_of(broken)} it does not"
    if len(begins) <= _MOST_RULES and all(_PLAIN.fullmatch(text) for text in (kind.name, *best["kind"])):
        for name, start in begins:
            rule = {"type": "expect_column_values_to_match_regex", "column": code.name, "regex": f"^{re.escape(start)}"}
            yield Suggestion({**rule, "row_condition": f'{kind.name} == "{name}"'}, why, 0.89)
        return
    start = f"substr({identifier(code.name)}, 1, {len(begins[0][1])})"
    ways = [f"({identifier(kind.name)} = {literal(name)} and {start} = {literal(text)})" for name, text in begins]
    kind_names = ", ".join(literal(name) for name, _ in begins)
    sql = f"{identifier(kind.name)} not in ({kind_names}) or {' or '.join(ways)}"
    suggestion = Suggestion({"type": "expect_rows_sql", "sql": sql}, why, 0.89, suspect=code.name)
    yield suggestion.broken_by(broken, rows)
