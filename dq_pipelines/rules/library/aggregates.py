"""Rules on an aggregate of one column within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, Literal

import narwhals as nw

from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.base import Dimension, Example
from dq_pipelines.rules.core.bounds import Bounded
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.dialect import POLARS
from dq_pipelines.rules.core.on_tables import AggregateRule
from dq_pipelines.rules.core.sums import exact_sum, sum_of


class BetweenRule(Bounded, AggregateRule):
    """An aggregate lies within bounds; a subclass defines the aggregate."""

    def accepts(self, observed: Any) -> bool:
        return self.admits(observed)


class ColumnMin(BetweenRule):
    """The smallest value lies within the bounds; a column without values fails."""

    type: Literal["expect_column_min_to_be_between"]
    title_template: ClassVar[str] = "the smallest {column} is {bounds}"

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [3, 1, None]}, {"column": "x", "min_value": 1}, {"success": True, "observed_value": 1}),
        Example({"x": [3, 1]}, {"column": "x", "min_value": 1, "strict_min": True}, {"success": False}),
        Example({"x": [None, None]}, {"column": "x"}, {"success": False, "observed_value": None}),
        Example({"x": [date(2026, 1, 1)]}, {"column": "x", "min_value": "2026-01-02"}, {"success": False}),
    )

    def observe(self, value: Value) -> nw.Expr:
        return _ordered(value).min()


class ColumnMax(BetweenRule):
    """The greatest value lies within the bounds; a column without values fails."""

    type: Literal["expect_column_max_to_be_between"]
    title_template: ClassVar[str] = "the greatest {column} is {bounds}"

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [3, 1, None]}, {"column": "x", "max_value": 3}, {"success": True, "observed_value": 3}),
        Example({"x": [1.0, float("nan")]}, {"column": "x", "max_value": 1}, {"success": True, "observed_value": 1.0}),
        Example({"x": ["a", "b"]}, {"column": "x", "max_value": "a"}, {"success": False, "observed_value": "b"}),
    )

    def observe(self, value: Value) -> nw.Expr:
        return _ordered(value).max()


class ColumnMean(BetweenRule):
    """The mean of the values lies within the bounds; a column without values fails."""

    type: Literal["expect_column_mean_to_be_between"]
    title_template: ClassVar[str] = "the mean of {column} is {bounds}"

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, 2, None]}, {"column": "x", "max_value": 1.5}, {"success": True, "observed_value": 1.5}),
        Example({"x": [None, None]}, {"column": "x", "max_value": 2}, {"success": False, "observed_value": None}),
    )

    def observe(self, value: Value) -> nw.Expr:
        return _known(_float(value).mean(), value)


class ColumnMedian(BetweenRule):
    """The median of the values lies within the bounds: of an even count, the mean of the middle two."""

    type: Literal["expect_column_median_to_be_between"]
    title_template: ClassVar[str] = "the median of {column} is {bounds}"

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, 9, 2, 4]}, {"column": "x", "min_value": 3}, {"success": True, "observed_value": 3.0}),
        Example({"x": [5, None, 1, 2]}, {"column": "x", "max_value": 1}, {"success": False, "observed_value": 2.0}),
    )

    def observe(self, value: Value) -> nw.Expr:
        if value.dtype.is_float() and value.dialect == POLARS:
            # Polars' median computes with the difference of the middle two values, which fails for infinities.
            return _known(value.number.cast(nw.Float64).quantile(0.5, "midpoint"), value)
        return _known(_float(value).median(), value)


class ColumnSum(BetweenRule):
    """The sum of the values lies within the bounds; without values it is 0.

    Sums of integers and of decimals are exact; a sum of decimals with more than 38 digits is an error.
    """

    type: Literal["expect_column_sum_to_be_between"]
    title_template: ClassVar[str] = "the sum of {column} is {bounds}"

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, 2, None]}, {"column": "x", "min_value": 3}, {"success": True, "observed_value": 3}),
        Example({"x": [None, None]}, {"column": "x", "min_value": 0}, {"success": True, "observed_value": 0}),
        Example({"x": [1, 2]}, {"column": "x", "max_value": 3, "strict_max": True}, {"success": False}),
    )

    def observe(self, value: Value) -> nw.Expr | Mapping[str, nw.Expr]:
        return exact_sum(value) if value.dialect == POLARS else _known(value.number.sum(), value)

    def conclude(self, found: Mapping[str, Any], rows: int) -> Any:
        return sum_of(found)


class ColumnStdev(BetweenRule):
    """The sample standard deviation (divided by n - 1) lies within the bounds; fewer than two values fail."""

    type: Literal["expect_column_stdev_to_be_between"]
    title_template: ClassVar[str] = "the standard deviation of {column} is {bounds}"

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, 3, None, 5]}, {"column": "x", "max_value": 2}, {"success": True, "observed_value": 2.0}),
        Example({"x": [7]}, {"column": "x", "min_value": 0}, {"success": False, "observed_value": None}),
    )

    def observe(self, value: Value) -> nw.Expr:
        return _known(value.number.cast(nw.Float64).std(ddof=1), value)


class UniqueValueCount(BetweenRule):
    """The exact number of distinct values, without missing ones, lies within the bounds."""

    dimension: ClassVar[Dimension] = "uniqueness"

    type: Literal["expect_column_unique_value_count_to_be_between"]
    title_template: ClassVar[str] = "the number of distinct values of {column} is {bounds}"
    min_value: int | None = None
    max_value: int | None = None

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, 2, 2, None]}, {"column": "x", "max_value": 2}, {"success": True, "observed_value": 2}),
        Example({"x": [None, None]}, {"column": "x", "min_value": 1}, {"success": False, "observed_value": 0}),
    )

    def observe(self, value: Value) -> nw.Expr:
        return _distinct(value)


class UniqueProportion(BetweenRule):
    """The share of distinct values among the present ones lies within the bounds; without values it is 0."""

    dimension: ClassVar[Dimension] = "uniqueness"

    type: Literal["expect_column_proportion_of_unique_values_to_be_between"]
    title_template: ClassVar[str] = "the share of distinct values of {column} is {bounds}"

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": [1, 2, 2, 3, None]}, {"column": "x", "min_value": 0.5}, {"success": True, "observed_value": 0.75}
        ),
        Example({"x": [1, 1]}, {"column": "x", "min_value": 0.9}, {"success": False, "observed_value": 0.5}),
        Example({"x": [None, None]}, {"column": "x", "max_value": 0}, {"success": True, "observed_value": 0}),
    )

    def observe(self, value: Value) -> Mapping[str, nw.Expr]:
        return {"distinct": _distinct(value), "present": value.expr.count()}

    def conclude(self, found: Mapping[str, Any], rows: int) -> float:
        return found["distinct"] / found["present"] if found["present"] else 0


class NonNullProportion(BetweenRule):
    """The share of rows with a value lies within the bounds; without rows it is 0."""

    dimension: ClassVar[Dimension] = "completeness"

    type: Literal["expect_column_proportion_of_non_null_values_to_be_between"]
    title_template: ClassVar[str] = "the share of rows with {column} is {bounds}"

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, None, 3, 4]}, {"column": "x", "min_value": 0.7}, {"success": True, "observed_value": 0.75}),
        Example({"x": [1.0, float("nan")]}, {"column": "x", "min_value": 0.7}, {"success": False}),
        Example({"x": [None]}, {"column": "x", "max_value": 0}, {"success": True, "observed_value": 0}),
    )

    def observe(self, value: Value) -> Mapping[str, nw.Expr]:
        return {"present": value.expr.count()}

    def conclude(self, found: Mapping[str, Any], rows: int) -> float:
        return found["present"] / rows if rows else 0


def _ordered(value: Value) -> nw.Expr:
    """The value unchanged; raises RuleError if it has no order."""
    return value.ordered if value.family != "boolean" else value.expr


def _float(value: Value) -> nw.Expr:
    """The value in a type with a mean: a float, or a date or datetime unchanged."""
    if value.family in ("date", "datetime"):
        return value.expr
    try:
        return value.number.cast(nw.Float64)
    except RuleError:
        raise RuleError(f"column '{value.name}' is {value.dtype}: wanted numbers or dates") from None


def _known(scalar: nw.Expr, value: Value) -> nw.Expr:
    """`scalar`, with NaN, as results from infinities, as missing."""
    return scalar.fill_nan(None) if value.dtype.is_float() else scalar


def _distinct(value: Value) -> nw.Expr:
    """The number of distinct values; 0 without rows, for which SQL gives null."""
    # Dropping nulls first would change the column's length, which SQL engines cannot do within one scan.
    return (value.expr.n_unique().cast(nw.Int64) - value.is_missing.any().cast(nw.Int64)).fill_null(0)
