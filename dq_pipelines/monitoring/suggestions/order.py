"""Which of two columns is never less than the other, but for slips: shipped after it was ordered, paid no more than was claimed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import polars as pl

from dq_pipelines.config.sql_text import identifier
from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.profile.reading import read_values
from dq_pipelines.monitoring.suggestions.base import Suggestion, mostly, rows_of
from dq_pipelines.monitoring.suggestions.findings import Findings
from dq_pipelines.monitoring.suggestions.signs import rarely_negative

_LEAST_ROWS, _LEAST_DISTINCT, _MOST_COLUMNS = 100, 15, 24
#: The share of rows that may break an order, and the share that would if the two columns had nothing to do with each other.
_BROKEN, _BY_CHANCE = 0.005, 0.05
_TOLERATED = 0.999
#: Two columns belong together when they are no farther apart than this, in spreads of the higher one.
_NEAR = 1.0
_DAY = 86_400_000_000


@dataclass(frozen=True)
class Order:
    """`high` is `low` or more, but for some rows."""

    high: str
    low: str
    #: rows with both values, and the places of those that break the order
    rows: int
    broken: frozenset[int]
    #: how far the two are from each other in the middle of the rows, in spreads of `high`
    distance: float


def suggest(findings: Findings) -> Iterator[Suggestion]:
    by_name = {column.name: column for column in findings}
    for moments in (True, False):
        columns = [column for column in findings if _may_be_ordered(column, moments=moments)][:_MOST_COLUMNS]
        values = {column.name: _numbers(findings, column) for column in columns}
        explained = set().union(*(_negative(values[name]) for name in values)) if not moments else set()
        for found in _orders(columns, values, explained, moments=moments):
            yield _suggestion(found, by_name, moments=moments)


def _may_be_ordered(column: ColumnProfile, *, moments: bool) -> bool:
    if column.seen < _LEAST_ROWS or column.distinct < 2:
        return False
    if moments:
        return column.reading.is_temporal and not (column.is_text and column.reading.format)
    return column.reading.kind in ("decimal", "float")


def _compare(high: ColumnProfile, low: ColumnProfile) -> bool:
    """Whether a rule can compare the two: dates that are text are in order as text, a day before its hours."""
    return high.is_text == low.is_text and (not high.is_text or low.reading.kind in (high.reading.kind, "date"))


def _numbers(findings: Findings, column: ColumnProfile) -> pl.Series:
    """The column as floats, moments in days; null where there is none."""
    read = read_values(pl.DataFrame({"value": findings.profile.sample.get_column(column.name)}), column.reading)
    if column.reading.is_temporal:
        if isinstance(read.dtype, pl.Datetime) and read.dtype.time_zone:
            read = read.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return read.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64) / _DAY
    numbers = read.cast(pl.Float64)
    return numbers.zip_with(numbers.is_finite().fill_null(False), pl.Series([None], dtype=pl.Float64))


def _negative(numbers: pl.Series) -> set[int]:
    """The rows whose number alone is wrong already, where few are negative."""
    found = (numbers < 0).fill_null(False).arg_true()
    return set(found.to_list()) if len(found) <= _BROKEN * numbers.len() else set()


def _orders(
    columns: Sequence[ColumnProfile], values: dict[str, pl.Series], explained: set[int], *, moments: bool
) -> Iterator[Order]:
    """For each column the nearest one that it is never less than. What one order explains is no exception to another."""
    found = [
        order
        for high, low in permutations(columns, 2)
        if max(high.distinct, low.distinct) >= _LEAST_DISTINCT
        and _compare(high, low)
        and (order := _order(high.name, low.name, values)) is not None
    ]
    told: set[str] = set()
    for order in sorted(found, key=lambda each: (not each.broken, each.distance)):
        if order.high in told:
            continue
        # Two moments far apart are out of order because one of them is wrong, which a nearer pair has said already.
        far = order.distance > _NEAR or len(order.broken) == 1
        if order.broken and (far or not moments) and 2 * len(order.broken - explained) < len(order.broken):
            continue
        if not order.broken and any({order.high, order.low} == {each.high, each.low} for each in found if each.broken):
            continue
        told.add(order.high)
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
        return None  # they lie apart whatever they mean
    first, third = (both["high"].quantile(share) or 0.0 for share in (0.25, 0.75))
    distance = abs((apart.quantile(0.5) or 0.0) / (third - first)) if third > first else 0.0
    return Order(high, low, both.height, frozenset(broken.to_list()), distance)


def _by_slips(apart: pl.Series) -> bool:
    """Whether the negative distances are slips: there is a step at 0, or nothing near to it."""
    counted = apart.rename("value").value_counts()
    if rarely_negative(counted):
        return True
    near = apart.filter(apart.is_between(0, -(apart.quantile(0.0) or 0.0)))
    return near.is_empty() and bool((apart > 0).any())


def _suggestion(found: Order, columns: dict[str, ColumnProfile], *, moments: bool) -> Suggestion:
    high, low = columns[found.high], columns[found.low]
    word = "before" if moments else "less than"
    if found.broken:
        why = (
            f"{high.name} is {word} {low.name} in {rows_of(len(found.broken))} of {found.rows:,}, and not in all others"
        )
    else:
        why = f"{high.name} is never {word} {low.name} in {rows_of(found.rows)}"
    admitted = min(_TOLERATED, mostly(len(found.broken), found.rows))
    rule: dict[str, Any] = {
        "type": "expect_column_pair_values_a_to_be_greater_than_b",
        "column_A": found.high,
        "column_B": found.low,
        "or_equal": True,
        "ignore_row_if": "either_value_is_missing",
    }
    if not moments and (high.is_text or low.is_text):
        sides = [f"try_cast({identifier(name)} as double)" for name in (found.high, found.low)]
        rule = {"type": "expect_rows_sql", "sql": " >= ".join(sides)}
    # A limit has few values; it is the measure beside it that goes wrong.
    suspect = found.high if high.distinct >= _LEAST_DISTINCT else found.low
    return Suggestion({**rule, "mostly": admitted}, why, 0.85 if found.broken else 0.8, suspect=suspect)
