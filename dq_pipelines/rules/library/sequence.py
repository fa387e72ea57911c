"""Rules that compare each value with the previous one, in the order in which rows land."""

from __future__ import annotations

from typing import ClassVar, Literal

import narwhals as nw

from dq_pipelines.rules.core.auxiliary_queries import InOrder
from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_rows import ColumnRule


class OrderRule(ColumnRule):
    """A rule on each value and the previous one; missing values are ignored."""

    #: whether an equal value fails too
    strictly: bool | None = None

    looks_at: ClassVar[Literal["row", "table", "order"]] = "order"
    descending: ClassVar[bool]

    def auxiliary_query(self) -> InOrder:
        return InOrder(self.column, self.descending, bool(self.strictly), self.row_condition)

    def holds(self, value: Value) -> nw.Expr:
        raise NotImplementedError("the engine looks up the previous value outside of the scan")

    def fails(self, columns: Columns) -> nw.Expr:
        _ = columns[self.column].ordered
        return (~columns.answer(self.auxiliary_query())).fill_null(False)


class ValuesIncreasing(OrderRule):
    """No value is less than the previous one, and with `strictly` none is equal to it.

    Missing values are ignored. A value is compared with the previous one, whether that one failed or not.
    """

    type: Literal["expect_column_values_to_be_increasing"]
    title_template: ClassVar[str] = "{column} increases from row to row"

    descending: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, 1, None, 2]}, {"column": "x"}, {"success": True, "missing_count": 1}),
        Example({"x": [1, 1, None, 2]}, {"column": "x", "strictly": True}, {"unexpected_count": 1}),
        Example({"x": [3, 1, 2, 0]}, {"column": "x"}, {"unexpected_count": 2}),
        Example({"x": [2, None, 1]}, {"column": "x"}, {"unexpected_count": 1}),
        Example({"x": [1, 9, 2], "y": [1, 0, 1]}, {"column": "x", "row_condition": "y == 1"}, {"success": True}),
    )


class ValuesDecreasing(OrderRule):
    """No value is greater than the previous one, and with `strictly` none is equal to it.

    Missing values are ignored. A value is compared with the previous one, whether that one failed or not.
    """

    type: Literal["expect_column_values_to_be_decreasing"]
    title_template: ClassVar[str] = "{column} decreases from row to row"

    descending: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [2, 1, None, 1]}, {"column": "x"}, {"success": True, "missing_count": 1}),
        Example({"x": [2, 1, None, 1]}, {"column": "x", "strictly": True}, {"unexpected_count": 1}),
        Example({"x": [1, 3, 2]}, {"column": "x"}, {"unexpected_count": 1}),
    )
