"""A rule on values within bounds."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal

import narwhals as nw

from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.bounds import Bounded
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_rows import ColumnRule

_NAN = float("nan")


class ValuesBetween(Bounded, ColumnRule):
    """Every value lies between `min_value` and `max_value`, both included unless `strict_min` or `strict_max`.

    It applies to numbers, dates, times and text; bounds of a date column may be text in ISO 8601.
    """

    type: Literal["expect_column_values_to_be_between"]
    title_template: ClassVar[str] = "{column} is {bounds}"

    needs_a_bound: ClassVar[bool] = True
    crossed: ClassVar[Literal["refused", "unfit", "judged"]] = "unfit"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, 2, 3]}, {"column": "x", "min_value": 1, "max_value": 3}, {"success": True}),
        Example({"x": [0, 1, 4]}, {"column": "x", "min_value": 1, "max_value": 3}, {"unexpected_count": 2}),
        Example({"x": [1, None, _NAN]}, {"column": "x", "max_value": 3}, {"success": True, "missing_count": 2}),
        Example({"x": [1, 2, 3]}, {"column": "x", "min_value": 1, "strict_min": True}, {"unexpected_count": 1}),
        Example({"x": [1.0, float("inf")]}, {"column": "x", "max_value": 9}, {"unexpected_count": 1}),
        Example(
            {"x": [date(2026, 1, 1), date(2026, 2, 1)]},
            {"column": "x", "min_value": "2026-01-15"},
            {"unexpected_count": 1},
        ),
        Example({"x": ["a", "b", "c"]}, {"column": "x", "min_value": "b"}, {"unexpected_count": 1}),
        Example({"x": [None, None]}, {"column": "x", "min_value": 1}, {"success": True, "missing_count": 2}),
    )

    def holds(self, value: Value) -> nw.Expr:
        self.bounds_fit()
        return self.within(value.ordered, value.bound)

    def surely_holds(self, columns: Columns) -> bool:
        known = columns[self.column].statistics
        return self.admits(known.least) and self.admits(known.greatest)
