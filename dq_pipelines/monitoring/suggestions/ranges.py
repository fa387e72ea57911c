"""Suggests bounds of numbers, with a margin by the tails of their distribution, and finds outliers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from dq_pipelines.config.counting import counted
from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.profile.inferred_type import read_values
from dq_pipelines.monitoring.profile.null_markers import minus_ones
from dq_pipelines.monitoring.suggestions.base import Suggestion, as_written, listed, mostly, rounded_out
from dq_pipelines.monitoring.suggestions.extremes import beyond_the_tail
from dq_pipelines.monitoring.suggestions.findings import Findings
from dq_pipelines.monitoring.suggestions.rare_values import split_rare_values
from dq_pipelines.monitoring.suggestions.references import foreign_keys

_LEAST_ROWS = 100
#: An outlier is so many times as far from the median as the 99th percentile, also by logarithms (the second factor), and
#: outliers are at most this share. The largest of a million exponential numbers is 3.4 times as far; so is, by logarithms,
#: the largest of a million with a power-law tail.
_FAR, _FAR_BY_LOGARITHM, _FEW_FAR = 8.0, 4.0, 0.005
#: An integer column with at most so many values, each seen at least so often, has exactly the bounds that were seen.
_CLOSED, _OFTEN = 60, 5
_TOLERATED = 0.999
#: Below this a whole number may be a year, which has no comma.
_YEARS = 10_000


@dataclass(frozen=True)
class _Side:
    """The upper end of the numbers; for the lower end, all signs are changed."""

    median: float
    #: the 99th percentile
    edge: float
    #: the greatest number that is no outlier, and the outliers
    greatest: float
    outliers: list[float]

    @property
    def bound(self) -> float:
        """A bound that hardly any number of as many further ones exceeds.

        The tail is extrapolated from the edge over the greatest number to the bound: linearly (as for a normal or an
        exponential distribution) or by powers. The larger result counts.
        """
        by_steps = 2 * self.greatest - self.edge
        by_powers = self.greatest**2 / self.edge if self.edge > 0 else by_steps
        return max(by_steps, by_powers)

    def rounded(self) -> float:
        """Returns the bound rounded to two digits, but below the nearest outlier."""
        bound = rounded_out(self.bound, up=True)
        if not self.outliers or bound < (nearest := min(self.outliers)):
            return bound
        middle = float(f"{(self.greatest + nearest) / 2:.4g}")
        return middle if self.greatest <= middle < nearest else self.greatest


def suggest(findings: Findings) -> Iterator[Suggestion]:
    foreign = {column for column, *_ in foreign_keys(findings)}
    for column in findings:
        if not column.inferred_type.is_number or column.seen < _LEAST_ROWS or column.distinct < 2:
            continue
        if column.is_text:
            scale = _scale(column)
            yield from _among_texts(column) if scale is None else [scale]
            continue
        is_name = column.inferred_type.kind == "integer" and findings.is_unique(column)
        if is_name or column.name in foreign or findings.drifts(column):
            continue  # ids and counters have no bounds
        yield from _bounds(column)


def _bounds(column: ColumnProfile) -> Iterator[Suggestion]:
    rule = {"type": "expect_column_values_to_be_between", "column": column.name}
    rarest = int(column.values["count"].min())  # type: ignore[arg-type]
    if (scale := _scale(column)) is not None:
        yield scale
    elif column.inferred_type.kind == "integer" and column.distinct <= _CLOSED and rarest >= _OFTEN:
        if 2 * column.distinct > column.greatest - column.least + 1:
            why = f"{column.distinct} whole numbers from {column.least} to {column.greatest}, each in {rarest:,} rows or more"
            yield Suggestion({**rule, "min_value": column.least, "max_value": column.greatest}, why, 0.95)
    elif (room := _room(column)) is not None:
        bounds = {"min_value": as_written(room.low), "max_value": as_written(room.high)}
        yield Suggestion({**rule, **bounds, "mostly": room.mostly(column)}, room.why, 0.8)


def _scale(column: ColumnProfile) -> Suggestion | None:
    """Suggests a rule for a scale such as 1 to 5, with a few values outside of it."""
    if column.inferred_type.kind != "integer" or (split := split_rare_values(column.values)) is None:
        return None
    kept, rest = ((part.with_columns(read_values(part, column.inferred_type).alias("number"))) for part in split)
    low, high = int(kept["number"].min()), int(kept["number"].max())  # type: ignore[arg-type]
    outside = rest.filter(~pl.col("number").is_between(low, high))
    if outside.is_empty() or kept.height < high - low + 1:
        return None
    rows = int(outside["count"].sum())
    rule: dict[str, Any] = {"type": "expect_column_values_to_be_between", "column": column.name}
    rule |= {"min_value": low, "max_value": high}
    if column.is_text:
        steps = list(kept.sort("number")["value"])
        rule = {"type": "expect_column_values_to_be_in_set", "column": column.name, "value_set": steps}
    why = (
        f"a scale from {low} to {high}, each step in {int(kept['count'].min()):,} rows or more; "  # type: ignore[arg-type]
        f"{listed(outside['value'])} in {counted(rows, 'row')}"
    )
    return Suggestion(rule, why, 0.85).broken_by(rows, column.seen)


def _among_texts(column: ColumnProfile) -> Iterator[Suggestion]:
    """Suggests a rule on outliers for numbers in text, which have no order as text."""
    room = _room(column)
    if room is not None and room.outliers:
        number = f'try_cast("{column.name.replace(chr(34), 2 * chr(34))}" as double)'
        sql = f"{number} between {as_written(room.low)} and {as_written(room.high)}"
        yield Suggestion({"type": "expect_rows_sql", "sql": sql, "mostly": room.mostly(column)}, room.why, 0.8)


@dataclass(frozen=True)
class _Room:
    """The bounds of numbers, and the outliers."""

    low: float
    high: float
    outliers: list[float]
    why: str

    def mostly(self, column: ColumnProfile) -> float:
        """Returns `mostly`: some number will exceed even wide bounds one day."""
        by_chance = math.floor((1 - 5 / column.seen) * 1000) / 1000
        return min(_TOLERATED, by_chance, mostly(len(self.outliers), column.seen))


def _room(column: ColumnProfile) -> _Room | None:
    upper, lower = _side(column, sign=1), _side(column, sign=-1)
    if upper is None or lower is None:
        return None
    low, high = _lower_bound(-lower.greatest, lower), max(upper.rounded(), 0)
    if upper.greatest <= 0:
        high = 0
    if column.inferred_type.kind == "integer":
        low, high = math.floor(low), math.ceil(high)
    outliers = [*upper.outliers, *(-number for number in lower.outliers)]
    nothing = minus_ones(read_values(column.values, column.inferred_type), column.values["count"])
    if nothing and -1.0 not in outliers:
        low, outliers = 0, [*outliers, *[-1.0] * nothing]
    why = f"seen from {_shown(-lower.greatest)} to {_shown(upper.greatest)}, half of them up to {_shown(upper.median)}"
    if outliers:
        why += f"; far outside: {listed([_shown(number) for number in outliers])}"
    return _Room(low, high, outliers, why)


def _lower_bound(least: float, lower: _Side) -> float:
    """Returns the lower bound: 0 where no number is negative, unless all are far from 0."""
    bound = -lower.rounded()
    if least >= 0 and not lower.outliers and (bound <= 0 or 2 * least <= abs(lower.median)):
        return 0.0
    return bound


def _side(column: ColumnProfile, *, sign: int) -> _Side | None:
    numbers = pl.DataFrame(
        {"value": read_values(column.values, column.inferred_type).cast(pl.Float64), "count": column.values["count"]}
    )
    finite = numbers.filter(pl.col("value").is_finite()).with_columns(pl.col("value") * sign).sort("value")
    if finite.is_empty():
        return None
    total, upto = int(finite["count"].sum()), finite["count"].cum_sum()
    value = finite["value"]
    tail = max(0.01, 10 / total)
    middle, edge = (float(value[int(upto.search_sorted(share * total))]) for share in (0.5, 1 - tail))
    far = middle + _FAR * (edge - middle)
    beyond = finite.filter(pl.col("value") > far)
    if middle > 0 and edge > middle:
        logarithmic = math.log(middle) + _FAR_BY_LOGARITHM * (math.log(edge) - math.log(middle))
        beyond = beyond.filter(pl.col("value").log() > logarithmic)
    # If half of the numbers are equal to the median or the edge, distances from it say nothing.
    if middle in (0, edge) or int(beyond["count"].sum()) > _FEW_FAR * total:
        beyond = beyond.clear()
    step = 1.0 if column.inferred_type.kind == "integer" else _step(finite["value"])
    if (first := beyond_the_tail(finite, step)) is not None:
        beyond = finite.filter(pl.col("value") >= min([first, *beyond["value"]]))
    # Each count of an outlier is a row.
    outliers = [number for number, count in beyond.rows() for _ in range(count)]
    greatest = float(finite.filter(~pl.col("value").is_in(beyond["value"].implode()))["value"].max())  # type: ignore[arg-type]
    bulk = max(greatest, float(sign * (column.greatest if sign > 0 else column.least))) if not outliers else greatest
    return _Side(middle, edge, bulk, outliers)


def _step(values: pl.Series) -> float:
    """Returns the typical least distance of neighbouring numbers."""
    return float(values.diff().quantile(0.1) or 0.0)


def _shown(number: float) -> str:
    if abs(number) >= _YEARS or number == int(number):
        return f"{as_written(number):{',' if abs(number) >= _YEARS else ''}}" if abs(number) < 1e12 else f"{number:.6g}"
    return f"{number:.6g}"
