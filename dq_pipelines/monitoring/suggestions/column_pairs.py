"""Suggests rules on the order of two columns, such as shipped after ordered, or paid at most what was claimed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import polars as pl

from dq_pipelines.config.sql_text import identifier
from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.profile.inferred_type import read_values
from dq_pipelines.monitoring.suggestions.base import Suggestion, mostly, rows_of
from dq_pipelines.monitoring.suggestions.findings import Findings
from dq_pipelines.monitoring.suggestions.negative_numbers import rarely_negative

_LEAST_ROWS, _LEAST_DISTINCT, _MOST_COLUMNS = 100, 15, 24
#: Largest share of rows that violate an order, and the least share that would if the columns were unrelated.
_BROKEN, _BY_CHANCE = 0.005, 0.05
_TOLERATED = 0.999
#: Largest distance of two related columns, in interquartile ranges of the higher one.
_NEAR = 1.0
_DAY = 86_400_000_000


@dataclass(frozen=True)
class Order:
    """An order: `high` is at least `low`, except in some rows."""

    high: str
    low: str
    #: number of rows with both values, and the row numbers of violations
    rows: int
    broken: frozenset[int]
    #: median distance of the two, in interquartile ranges of `high`
    distance: float


def suggest(findings: Findings) -> Iterator[Suggestion]:
    by_name = {column.name: column for column in findings}
    for moments in (True, False):
        columns = [column for column in findings if _may_be_ordered(column, moments=moments)][:_MOST_COLUMNS]
        values = {column.name: _numbers(findings, column) for column in columns}
        explained = set().union(*(_negative(values[name]) for name in values)) if not moments else set()
        for order in _orders(columns, values, explained, moments=moments):
            yield _suggestion(order, by_name, moments=moments)


def _may_be_ordered(column: ColumnProfile, *, moments: bool) -> bool:
    if column.seen < _LEAST_ROWS or column.distinct < 2:
        return False
    if moments:
        return column.inferred_type.is_temporal and not (column.is_text and column.inferred_type.format)
    return column.inferred_type.kind in ("decimal", "float")


def _compare(high: ColumnProfile, low: ColumnProfile) -> bool:
    """Whether a rule can compare the two columns; ISO dates in text compare as text."""
    return high.is_text == low.is_text and (
        not high.is_text or low.inferred_type.kind in (high.inferred_type.kind, "date")
    )


def _numbers(findings: Findings, column: ColumnProfile) -> pl.Series:
    """Returns the column as floats, dates and times in days; null without a value."""
    read = read_values(pl.DataFrame({"value": findings.profile.sample.get_column(column.name)}), column.inferred_type)
    if column.inferred_type.is_temporal:
        if isinstance(read.dtype, pl.Datetime) and read.dtype.time_zone:
            read = read.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return read.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64) / _DAY
    numbers = read.cast(pl.Float64)
    return numbers.zip_with(numbers.is_finite().fill_null(False), pl.Series([None], dtype=pl.Float64))


def _negative(numbers: pl.Series) -> set[int]:
    """Returns the rows with a negative number, if they are so few that they are errors."""
    rows = (numbers < 0).fill_null(False).arg_true()
    return set(rows.to_list()) if len(rows) <= _BROKEN * numbers.len() else set()


def _orders(
    columns: Sequence[ColumnProfile], values: dict[str, pl.Series], explained: set[int], *, moments: bool
) -> Iterator[Order]:
    """Yields for each column the nearest one that it is never less than.

    Violations that one order explains do not count for another.
    """
    orders = [
        order
        for high, low in permutations(columns, 2)
        if max(high.distinct, low.distinct) >= _LEAST_DISTINCT
        and _compare(high, low)
        and (order := _order(high.name, low.name, values)) is not None
    ]
    done: set[str] = set()
    for order in sorted(orders, key=lambda each: (not each.broken, each.distance)):
        if order.high in done:
            continue
        # Distant dates violate an order only because one of them is wrong, which a nearer pair has shown already.
        far = order.distance > _NEAR or len(order.broken) == 1
        if order.broken and (far or not moments) and 2 * len(order.broken - explained) < len(order.broken):
            continue
        if not order.broken and any({order.high, order.low} == {each.high, each.low} for each in orders if each.broken):
            continue
        done.add(order.high)
        explained |= order.broken
        yield order


def _order(high: str, low: str, values: dict[str, pl.Series]) -> Order | None:
    both = pl.DataFrame({"high": values[high], "low": values[low]}).with_row_index("row").drop_nulls()
    if both.height < _LEAST_ROWS:
        return None
    apart = both["high"] - both["low"]
    broken = both["row"].filter(apart < 0)
    if len(broken) > _BROKEN * both.height or not (apart > 0).any():
        return None
    if len(broken) and not _by_slips(apart):
        return None
    chance = both["high"].sample(fraction=1, shuffle=True, seed=5) < both["low"]
    if not len(broken) and int(chance.sum()) < _BY_CHANCE * both.height:
        return None  # their ranges do not overlap, so the order says nothing
    first, third = (both["high"].quantile(share) or 0.0 for share in (0.25, 0.75))
    distance = abs((apart.quantile(0.5) or 0.0) / (third - first)) if third > first else 0.0
    return Order(high, low, both.height, frozenset(broken.to_list()), distance)


def _by_slips(apart: pl.Series) -> bool:
    """Whether negative distances are errors: they are far rarer than small positive ones, or there are no small ones."""
    counted = apart.rename("value").value_counts()
    if rarely_negative(counted):
        return True
    near = apart.filter(apart.is_between(0, -(apart.quantile(0.0) or 0.0)))
    return near.is_empty() and bool((apart > 0).any())


def _suggestion(order: Order, columns: dict[str, ColumnProfile], *, moments: bool) -> Suggestion:
    high, low = columns[order.high], columns[order.low]
    word = "before" if moments else "less than"
    if order.broken:
        why = (
            f"{high.name} is {word} {low.name} in {rows_of(len(order.broken))} of {order.rows:,}, and not in all others"
        )
    else:
        why = f"{high.name} is never {word} {low.name} in {rows_of(order.rows)}"
    admitted = min(_TOLERATED, mostly(len(order.broken), order.rows))
    rule: dict[str, Any] = {
        "type": "expect_column_pair_values_a_to_be_greater_than_b",
        "column_A": order.high,
        "column_B": order.low,
        "or_equal": True,
        "ignore_row_if": "either_value_is_missing",
    }
    if not moments and (high.is_text or low.is_text):
        sides = [f"try_cast({identifier(name)} as double)" for name in (order.high, order.low)]
        rule = {"type": "expect_rows_sql", "sql": " >= ".join(sides)}
    # A limit has few values, so the measure is probably the wrong one.
    suspect = order.high if high.distinct >= _LEAST_DISTINCT else order.low
    return Suggestion({**rule, "mostly": admitted}, why, 0.85 if order.broken else 0.8, suspect=suspect)
