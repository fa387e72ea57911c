"""How two values of a row stand to one another."""

from __future__ import annotations

from typing import ClassVar, Literal

import narwhals as nw

from dq_pipelines.rules.base import Example, PairRule
from dq_pipelines.rules.columns import Value


class PairGreater(PairRule):
    """The value in `column_A` is greater than the one in `column_B`, or equal to it with `or_equal`.

    One of them missing is a failure, unless `ignore_row_if` says otherwise.
    """

    type: Literal["expect_column_pair_values_a_to_be_greater_than_b"]
    or_equal: bool | None = None

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"a": [2, 1], "b": [1, 1]}, {"column_A": "a", "column_B": "b"}, {"unexpected_count": 1}),
        Example({"a": [2, 1], "b": [1, 1]}, {"column_A": "a", "column_B": "b", "or_equal": True}, {"success": True}),
        Example(
            {"a": [2, None, None], "b": [1, 1, None]},
            {"column_A": "a", "column_B": "b"},
            {"unexpected_count": 1, "missing_count": 1},
        ),
        Example(
            {"a": [2, None], "b": [1, 1]},
            {"column_A": "a", "column_B": "b", "ignore_row_if": "either_value_is_missing"},
            {"success": True, "missing_count": 1},
        ),
    )

    def holds(self, a: Value, b: Value) -> nw.Expr:
        a.same_family(b)
        return a.ordered >= b.ordered if self.or_equal else a.ordered > b.ordered


class PairEqual(PairRule):
    """The value in `column_A` equals the one in `column_B`.

    One of them missing is a failure, unless `ignore_row_if` says otherwise; with `neither`, two missing ones differ.
    """

    type: Literal["expect_column_pair_values_to_be_equal"]

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"a": [1, None], "b": [1.0, None]}, {"column_A": "a", "column_B": "b"}, {"success": True}),
        Example({"a": [1, 2], "b": [1, 1]}, {"column_A": "a", "column_B": "b"}, {"unexpected_count": 1}),
        Example(
            {"a": [1, None, None], "b": [1, 1, None]},
            {"column_A": "a", "column_B": "b"},
            {"unexpected_count": 1, "missing_count": 1},
        ),
        Example(
            {"a": [None], "b": [None]},
            {"column_A": "a", "column_B": "b", "ignore_row_if": "neither"},
            {"unexpected_count": 1},
        ),
    )

    def holds(self, a: Value, b: Value) -> nw.Expr:
        a.same_family(b)
        return a.ordered == b.ordered
