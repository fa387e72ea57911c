"""Rules on the uniqueness of keys."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import narwhals as nw
from pydantic import Field

from dq_pipelines.config.model import Many
from dq_pipelines.rules.core.auxiliary_queries import Repeats
from dq_pipelines.rules.core.base import Dimension, Example
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_rows import ColumnRule, MulticolumnRule


class ValuesUnique(ColumnRule):
    """No value occurs twice; every row of a repeated value fails. Missing values do not count."""

    dimension: ClassVar[Dimension] = "uniqueness"

    type: Literal["expect_column_values_to_be_unique"]
    title_template: ClassVar[str] = "{column} is unique"

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, 2, 2, None, None]}, {"column": "x"}, {"unexpected_count": 2, "missing_count": 2}),
        Example({"x": ["a", "A", None, None]}, {"column": "x"}, {"success": True, "missing_count": 2}),
        Example(
            {"x": [1, 1, 2], "day": ["mon", "tue", "mon"]},
            {"column": "x", "row_condition": 'day == "mon"'},
            {"success": True, "element_count": 2},
        ),
    )

    def auxiliary_query(self) -> Repeats:
        return Repeats((self.column,), row_condition=self.row_condition)

    def holds(self, value: Value) -> nw.Expr:
        raise NotImplementedError("the engine finds repeated keys outside of the scan")

    def fails(self, columns: Columns) -> nw.Expr:
        return columns.answer(self.auxiliary_query())


class CompoundUnique(MulticolumnRule):
    """No combination of the columns' values occurs twice; every row of a repeated one fails."""

    dimension: ClassVar[Dimension] = "uniqueness"

    type: Literal["expect_compound_columns_to_be_unique"]
    title_template: ClassVar[str] = "{column_list} are unique together"
    column_list: Annotated[Many[str], Field(min_length=2)]

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"a": [1, 1, 1], "b": ["x", "y", "x"]},
            {"column_list": ["a", "b"]},
            {"success": False, "unexpected_count": 2},
        ),
        Example({"a": [1, 1], "b": ["x", "y"]}, {"column_list": ["a", "b"]}, {"success": True}),
        Example(
            {"a": [1, 1, None, None], "b": [None, None, None, None]},
            {"column_list": ["a", "b"]},
            {"unexpected_count": 2, "missing_count": 2},
        ),
        Example(
            {"a": [1, 1], "b": [None, None]},
            {"column_list": ["a", "b"], "ignore_row_if": "any_value_is_missing"},
            {"success": True, "missing_count": 2},
        ),
    )

    def auxiliary_query(self) -> Repeats:
        # Sorted, so that rules with the same columns in another order share one query.
        return Repeats(tuple(sorted(self.column_list)), ignore=self.ignore_row_if, row_condition=self.row_condition)

    def holds(self, columns: Columns) -> nw.Expr:
        return ~columns.answer(self.auxiliary_query())
