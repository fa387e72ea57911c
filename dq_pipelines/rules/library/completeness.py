"""Rules on missing values."""

from __future__ import annotations

from typing import ClassVar, Literal

import narwhals as nw

from dq_pipelines.rules.core.base import Dimension, Example
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_rows import ColumnRule


class ValuesNotNull(ColumnRule):
    """Every value is present; NaN counts as missing."""

    dimension: ClassVar[Dimension] = "completeness"

    type: Literal["expect_column_values_to_not_be_null"]
    title_template: ClassVar[str] = "{column} is present"

    ignores_missing: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, None, 3]}, {"column": "x"}, {"success": False, "unexpected_count": 1}),
        Example({"x": [1.0, float("nan")]}, {"column": "x"}, {"success": False, "unexpected_count": 1}),
        Example({"x": [1, None, 3]}, {"column": "x", "mostly": 0.6}, {"success": True, "unexpected_count": 1}),
        Example({"x": ["", " "]}, {"column": "x"}, {"success": True}),
    )

    def holds(self, value: Value) -> nw.Expr:
        return ~value.is_missing

    def surely_holds(self, columns: Columns) -> bool:
        return columns[self.column].statistics.missing == 0

    def missing(self, columns: Columns) -> nw.Expr:
        return nw.lit(False)


class ValuesNull(ColumnRule):
    """Every value is missing."""

    type: Literal["expect_column_values_to_be_null"]
    title_template: ClassVar[str] = "{column} is empty"

    ignores_missing: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, None]}, {"column": "x"}, {"success": False, "unexpected_count": 1}),
        Example({"x": [None, None]}, {"column": "x"}, {"success": True}),
        Example({"x": [float("nan"), 0.0]}, {"column": "x"}, {"unexpected_count": 1}),
        Example({"x": ["", None]}, {"column": "x"}, {"unexpected_count": 1}),
    )

    def holds(self, value: Value) -> nw.Expr:
        return value.is_missing

    def missing(self, columns: Columns) -> nw.Expr:
        return nw.lit(False)
