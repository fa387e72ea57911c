"""Rules on outliers: values far from the rest of their column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import narwhals as nw
from pydantic import Field

from dq_pipelines.rules.core.auxiliary_queries import LimitsFromColumn
from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_rows import ColumnRule


class MeasuredRule(ColumnRule):
    """A rule on each value, with limits computed from the column's values."""

    looks_at: ClassVar[Literal["row", "table", "order"]] = "table"

    def auxiliary_query(self) -> LimitsFromColumn:
        raise NotImplementedError

    def holds(self, value: Value) -> nw.Expr:
        raise NotImplementedError("the engine computes the measures before the scan")

    def fails(self, columns: Columns) -> nw.Expr:
        _ = columns[self.column].number
        return (~columns.answer(self.auxiliary_query())).fill_null(False)


@dataclass(frozen=True)
class ZScore(LimitsFromColumn):
    """Whether the value is less than `threshold` standard deviations from the mean."""

    threshold: float = math.inf
    double_sided: bool = True

    def measures(self, value: Value) -> Mapping[str, nw.Expr]:
        number = value.number.cast(nw.Float64)
        return {"mean": number.mean(), "stdev": number.std(ddof=1)}

    def holds(self, value: Value, found: Mapping[str, Any]) -> nw.Expr:
        mean, stdev = _finite(found["mean"]), _finite(found["stdev"])
        if mean is None or not stdev:
            return _passes(value)  # without spread there is no score; in GX every value passes
        score = (value.number.cast(nw.Float64) - mean) / stdev
        return score.abs() < abs(self.threshold) if self.double_sided else score < self.threshold


class ZScoresLess(MeasuredRule):
    """The z-score of every value, its distance from the mean in standard deviations (n - 1), is less than `threshold`.

    With `double_sided: false`, values far below the mean pass. If all values are equal, every one passes.
    """

    type: Literal["expect_column_value_z_scores_to_be_less_than"]
    title_template: ClassVar[str] = "{column} is less than {threshold} standard deviations from its mean"
    threshold: float
    double_sided: bool = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, 1, 1, 1, 9, None]}, {"column": "x", "threshold": 1.7}, {"unexpected_count": 1}),
        Example({"x": [9, 9, 9, 9, 1]}, {"column": "x", "threshold": 1.7}, {"unexpected_count": 1}),
        Example({"x": [9, 9, 9, 9, 1]}, {"column": "x", "threshold": 1.7, "double_sided": False}, {"success": True}),
        Example({"x": [7, 7]}, {"column": "x", "threshold": 1}, {"success": True}),
        Example({"x": [7, None]}, {"column": "x", "threshold": 1}, {"success": True, "missing_count": 1}),
    )

    def auxiliary_query(self) -> ZScore:
        return ZScore(self.column, self.row_condition, self.threshold, self.double_sided)


@dataclass(frozen=True)
class Fences(LimitsFromColumn):
    """Whether the value is within Tukey's fences, or less than `multiplier` standard deviations from the mean."""

    method: Literal["iqr", "std"] = "iqr"
    multiplier: float = 1.5

    def measures(self, value: Value) -> Mapping[str, nw.Expr]:
        number = value.number.cast(nw.Float64)
        if self.method == "std":
            return {"mean": number.mean(), "stdev": number.std(ddof=1)}
        return {name: number.quantile(share, "linear") for name, share in (("first", 0.25), ("third", 0.75))}

    def holds(self, value: Value, found: Mapping[str, Any]) -> nw.Expr:
        numbers = {name: _finite(number) for name, number in found.items()}
        if None in numbers.values():
            return _passes(value)  # there are no limits
        number = value.number.cast(nw.Float64)
        if self.method == "iqr":
            first, third = float(found["first"]), float(found["third"])
            reach = self.multiplier * (third - first)
            return (number >= first - reach) & (number <= third + reach)
        mean, reach = float(found["mean"]), self.multiplier * float(found["stdev"])
        return (number - mean).abs() < reach if reach > 0 else number == mean


class ValuesNotOutliers(MeasuredRule):
    """No value is an outlier, by the quartiles (`method: iqr`) or by the standard deviation (`std`).

    `iqr`: at most `multiplier` times the interquartile range outside of the quartiles (Tukey's fences);
    `std`: less than `multiplier` standard deviations from the mean.
    """

    type: Literal["expect_column_values_to_not_be_outliers"]
    title_template: ClassVar[str] = "{column} has no outliers"
    method: Literal["iqr", "std"] = "iqr"
    multiplier: Annotated[float, Field(ge=0)] = 1.5

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [10, 11, 12, 13, 100, None]}, {"column": "x"}, {"unexpected_count": 1, "missing_count": 1}),
        Example({"x": [10, 11, 12, 13, 100]}, {"column": "x", "method": "std", "multiplier": 3}, {"success": True}),
        Example({"x": [10, 11, 12, 13, 100]}, {"column": "x", "method": "std"}, {"unexpected_count": 1}),
        Example({"x": [5, 5, 5]}, {"column": "x", "method": "std", "multiplier": 0}, {"success": True}),
    )

    def auxiliary_query(self) -> Fences:
        return Fences(self.column, self.row_condition, self.method, self.multiplier)


def _finite(number: Any) -> float | None:
    """The number if it is finite, else None: GX does not use infinite means or spreads."""
    return None if number is None or not math.isfinite(number) else float(number)


def _passes(value: Value) -> nw.Expr:
    return nw.when(~value.is_missing).then(nw.lit(True))
