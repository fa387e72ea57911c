"""Suggests rules on check digits: Luhn's formula (cards, NPI, IMEI) and GS1's (EAN, UPC, ISBN-13)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from dq_pipelines.config.sql_text import identifier
from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.suggestions.base import Suggestion, percent, rows_of
from dq_pipelines.monitoring.suggestions.findings import Findings

_LEAST_DISTINCT = 100
#: Least share of numbers of the same length, and with a correct check digit (by chance, a tenth are correct).
_AS_LONG, _RIGHT = 0.97, 0.95


@dataclass(frozen=True)
class Scheme:
    """A check digit formula: every second digit from the right is multiplied by `factor`."""

    name: str
    lengths: tuple[int, ...]
    factor: int

    def weighed(self, length: int, place: int) -> int:
        """Returns the weight of the digit at `place`, counted from 1 on the left."""
        return self.factor if (length - place) % 2 else 1


_LUHN = Scheme("Luhn's formula", tuple(range(8, 20)), 2)
_GS1 = Scheme("the formula of GS1", (8, 12, 13, 14, 18), 3)


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column in findings:
        if column.distinct < _LEAST_DISTINCT or column.inferred_type.kind not in ("integer", "text"):
            continue
        for scheme in (_LUHN, _GS1):
            if (suggestion := _of(column, scheme)) is not None:
                yield suggestion
                break


def _of(column: ColumnProfile, scheme: Scheme) -> Suggestion | None:
    texts = column.values.select(text=pl.col("value").cast(pl.String), count="count")
    plain = texts.filter(pl.col("text").str.contains("^[0-9]+$"))
    lengths = plain.group_by(length=pl.col("text").str.len_chars()).agg(pl.sum("count")).sort("count")
    if lengths.is_empty():
        return None
    length, rows = lengths.row(-1)
    if length not in scheme.lengths or rows < _AS_LONG * column.seen:
        return None
    codes = plain.filter(pl.col("text").str.len_chars() == length)
    total = pl.sum_horizontal(_digit(scheme, length, place) for place in range(1, length + 1))
    wrong = int(codes.filter(total % 10 != 0)["count"].sum())
    if wrong > (1 - _RIGHT) * rows:
        return None
    text = f"cast({identifier(column.name)} as varchar)"
    weights = [_sql_digit(text, scheme, length, place) for place in range(1, length + 1)]
    sql = f"length({text}) <> {length} or ({' + '.join(weights)}) % 10 = 0"
    why = f"the last of {length} digits follows from the others by {scheme.name} in {percent(rows - wrong, rows)} of the values"
    if wrong:
        why += f"; {rows_of(wrong)} break it"
    return Suggestion({"type": "expect_rows_sql", "sql": sql}, why, 0.95).broken_by(wrong, column.seen)


def _digit(scheme: Scheme, length: int, place: int) -> pl.Expr:
    weight = scheme.weighed(length, place)
    number = pl.col("text").str.slice(place - 1, 1).cast(pl.Int64) * weight
    return pl.when(number > 9).then(number - 9).otherwise(number) if weight == 2 else number


def _sql_digit(text: str, scheme: Scheme, length: int, place: int) -> str:
    digit = f"try_cast(substr({text}, {place}, 1) as int)"
    weight = scheme.weighed(length, place)
    if weight == 1:
        return digit
    return f"(2 * {digit}) - case when {digit} > 4 then 9 else 0 end" if weight == 2 else f"{weight} * {digit}"
