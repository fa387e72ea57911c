"""Bounds of numbers, with room for what the tails still hold; and numbers far outside them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from dq_pipelines.config.counting import counted
from dq_pipelines.monitoring.profile import ColumnProfile
from dq_pipelines.monitoring.profile.markers import minus_ones
from dq_pipelines.monitoring.profile.reading import read_values
from dq_pipelines.monitoring.suggestions.base import Suggestion, as_written, listed, mostly, rounded_out
from dq_pipelines.monitoring.suggestions.extremes import beyond_the_tail
from dq_pipelines.monitoring.suggestions.findings import Findings
from dq_pipelines.monitoring.suggestions.references import foreign_keys
from dq_pipelines.monitoring.suggestions.strangers import without_strangers

_LEAST_ROWS = 100
#: A number is far out when it is so many times as far from the median as the nearest 1 % of all numbers, both as it
#: is and, by the second, by its logarithm; and when so few are. Of a million exponential numbers the last is 3.4
#: times as far, and of a million with a power's tail by its logarithm.
_FAR, _FAR_BY_LOGARITHM, _FEW_FAR = 8.0, 4.0, 0.005
#: A whole number with so few values, each seen so often, has the bounds that were seen.
_CLOSED, _OFTEN = 60, 5
_TOLERATED = 0.999
#: Below this a whole number may be a year, which has no comma.
_YEARS = 10_000


@dataclass(frozen=True)
class _Side:
    """One end of the numbers, the upper one; the lower one is looked at with all signs changed."""

    median: float
    #: so that 1 % of the numbers are greater
    edge: float
    #: the numbers that are not far out, and those that are
    greatest: float
    outliers: list[float]

    @property
    def bound(self) -> float:
        """So far that one number in as many again is hardly beyond.

        From the edge to the greatest the tail thins by the same factor as from there to the bound: as it falls off, by
        steps (as of a normal or an exponential) or by powers, whichever is farther.
        """
        by_steps = 2 * self.greatest - self.edge
        by_powers = self.greatest**2 / self.edge if self.edge > 0 else by_steps
        return max(by_steps, by_powers)

    def rounded(self) -> float:
        """The bound with two digits; before the nearest outlier, where there is one."""
        bound = rounded_out(self.bound, up=True)
        if not self.outliers or bound < (nearest := min(self.outliers)):
            return bound
        middle = float(f"{(self.greatest + nearest) / 2:.4g}")
        return middle if self.greatest <= middle < nearest else self.greatest


def suggest(findings: Findings) -> Iterator[Suggestion]:
    foreign = {column for column, *_ in foreign_keys(findings)}
    for column in findings:
        if not column.reading.is_number or column.seen < _LEAST_ROWS or column.distinct < 2:
            continue
        if column.is_text:
            scale = _scale(column)
            yield from _among_texts(column) if scale is None else [scale]
            continue
        is_name = column.reading.kind == "integer" and findings.is_unique(column)
        if is_name or column.name in foreign or findings.drifts(column):
            continue  # a number that is a name has no bounds, nor one that goes on and on
        yield from _bounds(column)


def _bounds(column: ColumnProfile) -> Iterator[Suggestion]:
    rule = {"type": "expect_column_values_to_be_between", "column": column.name}
    rarest = int(column.values["count"].min())  # type: ignore[arg-type]
    if (scale := _scale(column)) is not None:
        yield scale
    elif column.reading.kind == "integer" and column.distinct <= _CLOSED and rarest >= _OFTEN:
        if 2 * column.distinct > column.greatest - column.least + 1:
            why = f"{column.distinct} whole numbers from {column.least} to {column.greatest}, each in {rarest:,} rows or more"
            yield Suggestion({**rule, "min_value": column.least, "max_value": column.greatest}, why, 0.95)
    elif (found := _room(column)) is not None:
        bounds = {"min_value": as_written(found.low), "max_value": as_written(found.high)}
        yield Suggestion({**rule, **bounds, "mostly": found.mostly(column)}, found.why, 0.8)


def _scale(column: ColumnProfile) -> Suggestion | None:
    """Whole numbers of a scale, such as 1 to 5, beside a few that are on no step of it."""
    if column.reading.kind != "integer" or (found := without_strangers(column.values)) is None:
        return None
    kept, rest = ((part.with_columns(read_values(part, column.reading).alias("number"))) for part in found)
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
    """Texts that are numbers have no order: but what is far outside can be told."""
    found = _room(column)
    if found is not None and found.outliers:
        number = f'try_cast("{column.name.replace(chr(34), 2 * chr(34))}" as double)'
        sql = f"{number} between {as_written(found.low)} and {as_written(found.high)}"
        yield Suggestion({"type": "expect_rows_sql", "sql": sql, "mostly": found.mostly(column)}, found.why, 0.8)


@dataclass(frozen=True)
class _Room:
    """Between which bounds numbers are, and what lies far outside."""

    low: float
    high: float
    outliers: list[float]
    why: str

    def mostly(self, column: ColumnProfile) -> float:
        """However far the bounds are, some number will be farther one day."""
        by_chance = math.floor((1 - 5 / column.seen) * 1000) / 1000
        return min(_TOLERATED, by_chance, mostly(len(self.outliers), column.seen))


def _room(column: ColumnProfile) -> _Room | None:
    upper, lower = _side(column, sign=1), _side(column, sign=-1)
    if upper is None or lower is None:
        return None
    low, high = _lower_bound(-lower.greatest, lower), max(upper.rounded(), 0)
    if upper.greatest <= 0:
        high = 0
    if column.reading.kind == "integer":
        low, high = math.floor(low), math.ceil(high)
    outliers = [*upper.outliers, *(-number for number in lower.outliers)]
    nothing = minus_ones(read_values(column.values, column.reading), column.values["count"])
    if nothing and -1.0 not in outliers:
        low, outliers = 0, [*outliers, *[-1.0] * nothing]
    why = f"seen from {_shown(-lower.greatest)} to {_shown(upper.greatest)}, half of them up to {_shown(upper.median)}"
    if outliers:
        why += f"; far outside: {listed([_shown(number) for number in outliers])}"
    return _Room(low, high, outliers, why)


def _lower_bound(least: float, lower: _Side) -> float:
    """Nothing is less than 0 where nothing was, but for what lies far from it."""
    bound = -lower.rounded()
    if least >= 0 and not lower.outliers and (bound <= 0 or 2 * least <= abs(lower.median)):
        return 0.0
    return bound


def _side(column: ColumnProfile, *, sign: int) -> _Side | None:
    numbers = pl.DataFrame(
        {"value": read_values(column.values, column.reading).cast(pl.Float64), "count": column.values["count"]}
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
    # Where half of the numbers are 0, the others have a spread of their own.
    if middle in (0, edge) or int(beyond["count"].sum()) > _FEW_FAR * total:
        beyond = beyond.clear()
    step = 1.0 if column.reading.kind == "integer" else _step(finite["value"])
    if (first := beyond_the_tail(finite, step)) is not None:
        beyond = finite.filter(pl.col("value") >= min([first, *beyond["value"]]))
    # Each count of an outlier is a row.
    outliers = [number for number, count in beyond.rows() for _ in range(count)]
    greatest = float(finite.filter(~pl.col("value").is_in(beyond["value"].implode()))["value"].max())  # type: ignore[arg-type]
    bulk = max(greatest, float(sign * (column.greatest if sign > 0 else column.least))) if not outliers else greatest
    return _Side(middle, edge, bulk, outliers)


def _step(values: pl.Series) -> float:
    """The distance of neighbouring numbers, as most of them have it at least."""
    return float(values.diff().quantile(0.1) or 0.0)


def _shown(number: float) -> str:
    if abs(number) >= _YEARS or number == int(number):
        return f"{as_written(number):{',' if abs(number) >= _YEARS else ''}}" if abs(number) < 1e12 else f"{number:.6g}"
    return f"{number:.6g}"
