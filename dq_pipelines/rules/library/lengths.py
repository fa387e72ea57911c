"""Rules on the length of values, in characters (Unicode code points, as in Python)."""

from __future__ import annotations

from typing import ClassVar, Literal

import narwhals as nw

from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.bounds import Bounded
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.on_rows import ColumnRule


class ValueLengthsBetween(Bounded, ColumnRule):
    """Every value has between `min_value` and `max_value` characters, both included unless strict."""

    type: Literal["expect_column_value_lengths_to_be_between"]
    title_template: ClassVar[str] = "the length of {column} is {bounds}"
    min_value: int | None = None
    max_value: int | None = None

    needs_a_bound: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": ["a", "abc", None]}, {"column": "x", "max_value": 2}, {"unexpected_count": 1, "missing_count": 1}
        ),
        Example({"x": ["é", "日本"]}, {"column": "x", "max_value": 2}, {"success": True}),
        Example({"x": ["", "a"]}, {"column": "x", "min_value": 0, "strict_min": True}, {"unexpected_count": 1}),
        Example({"x": [1, 22, 333]}, {"column": "x", "min_value": 2, "max_value": 3}, {"unexpected_count": 1}),
    )

    def holds(self, value: Value) -> nw.Expr:
        return self.within(value.text.str.len_chars())


class ValueLengthsEqual(ColumnRule):
    """Every value has exactly `value` characters."""

    type: Literal["expect_column_value_lengths_to_equal"]
    title_template: ClassVar[str] = "the length of {column} is {value}"
    value: float

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": ["ab", "abc", None]}, {"column": "x", "value": 2}, {"unexpected_count": 1, "missing_count": 1}),
        Example({"x": ["日本", "é1"]}, {"column": "x", "value": 2}, {"success": True}),
        Example({"x": ["ab"]}, {"column": "x", "value": 2.5}, {"unexpected_count": 1}),
    )

    def holds(self, value: Value) -> nw.Expr:
        wanted = int(self.value) if self.value.is_integer() else self.value
        return value.text.str.len_chars() == wanted
