"""Rules that compare the values of several columns in a row."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from decimal import Decimal
from functools import reduce
from itertools import combinations
from typing import Annotated, ClassVar, Literal

import narwhals as nw
from pydantic import Field

from dq_pipelines.config.model import Many
from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.dialect import POLARS
from dq_pipelines.rules.core.on_rows import MulticolumnRule


class MulticolumnSum(MulticolumnRule):
    """The values of a row add up to `sum_total`; a row with a missing value fails."""

    type: Literal["expect_multicolumn_sum_to_equal"]
    title_template: ClassVar[str] = "{column_list} add up to {sum_total}"
    sum_total: int | float

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"a": [1, 2], "b": [2, 2]}, {"column_list": ["a", "b"], "sum_total": 3}, {"unexpected_count": 1}),
        Example({"a": [0.5, 1.5], "b": [1.5, 0.5]}, {"column_list": ["a", "b"], "sum_total": 2}, {"success": True}),
        Example(
            {"a": [3, 1, None], "b": [None, 2, None]},
            {"column_list": ["a", "b"], "sum_total": 3},
            {"unexpected_count": 1, "missing_count": 1},
        ),
    )

    def holds(self, columns: Columns) -> nw.Expr:
        values = [columns[name] for name in self.column_list]
        exact = all(isinstance(value.dtype, nw.Decimal) for value in values)
        numbers = [_addend(value) if exact or value.dtype.is_integer() else _float(value) for value in values]
        total = self.sum_total
        if all(value.dtype.is_integer() for value in values) and total == total // 1:
            total = int(total)  # an integer compares exactly, a float only up to 2**53
        return reduce(operator.add, numbers) == (Decimal(str(total)) if exact else total)


class MulticolumnEqual(MulticolumnRule):
    """The values of a row are all equal; missing values equal only one another."""

    type: Literal["expect_multicolumn_values_to_be_equal"]
    title_template: ClassVar[str] = "{column_list} are equal in each row"

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"a": [1, 1, None], "b": [1, 2, None]},
            {"column_list": ["a", "b"]},
            {"unexpected_count": 1, "missing_count": 1},
        ),
        Example({"a": [1, 1], "b": [1, None]}, {"column_list": ["a", "b"]}, {"unexpected_count": 1}),
        Example(
            {"a": ["x", None], "b": ["x", None], "c": ["x", None]},
            {"column_list": ["a", "b", "c"], "ignore_row_if": "never"},
            {"success": True},
        ),
    )

    def holds(self, columns: Columns) -> nw.Expr:
        first, *others = (columns[name] for name in self.column_list)
        return nw.all_horizontal(*(_same(first, other) for other in others), ignore_nulls=False)


class UniqueWithinRecord(MulticolumnRule):
    """No two values of a row are equal; two missing values count as equal."""

    type: Literal["expect_select_column_values_to_be_unique_within_record", "expect_multicolumn_values_to_be_unique"]
    title_template: ClassVar[str] = "{column_list} differ within each row"
    column_list: Annotated[Many[str], Field(min_length=2)]

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"a": [1, 1], "b": [2, 1]}, {"column_list": ["a", "b"]}, {"unexpected_count": 1}),
        Example(
            {"a": [1, None], "b": [2, None], "c": [3, None]},
            {"column_list": ["a", "b", "c"]},
            {"success": True, "missing_count": 1},
        ),
        Example({"a": [1], "b": [None], "c": [None]}, {"column_list": ["a", "b", "c"]}, {"unexpected_count": 1}),
        Example({"a": [1], "b": ["1"]}, {"column_list": ["a", "b"]}, {"success": True}),
    )

    def holds(self, columns: Columns) -> nw.Expr:
        equal = list(self._equal_pairs(columns))
        return ~nw.any_horizontal(*equal, ignore_nulls=False)

    def _equal_pairs(self, columns: Columns) -> Iterator[nw.Expr]:
        values = [columns[name] for name in self.column_list]
        return (_same(a, b) for a, b in combinations(values, 2))


def _same(a: Value, b: Value) -> nw.Expr:
    """Boolean, never null: the two are equal, or both are missing; values of different types are never equal."""
    both_missing = a.is_missing & b.is_missing
    try:
        a.same_family(b)
    except RuleError:
        return both_missing
    return (a.ordered == b.ordered).fill_null(False) | both_missing


def _addend(value: Value) -> nw.Expr:
    """The value in a type that holds the sum of several: beyond 64 bits Polars wraps, and other engines raise."""
    return value.number.cast(nw.Int128) if value.dtype.is_integer() and value.dialect == POLARS else value.number


def _float(value: Value) -> nw.Expr:
    return value.number.cast(nw.Float64)
