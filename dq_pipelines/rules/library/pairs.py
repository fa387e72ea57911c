"""Rules that compare two values of a row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

import narwhals as nw
from pydantic import PlainValidator

from dq_pipelines.config.model import shown
from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.column_value import MIXED, Value
from dq_pipelines.rules.core.on_rows import PairRule


class PairGreater(PairRule):
    """The value in `column_A` is greater than the one in `column_B`, or equal to it with `or_equal`.

    If one of them is missing, the row fails, unless `ignore_row_if` ignores it.
    """

    type: Literal["expect_column_pair_values_a_to_be_greater_than_b"]
    title_template: ClassVar[str] = "{column_A} is greater than {column_B}"
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

    If one of them is missing, the row fails, unless `ignore_row_if` ignores it; with `neither`, two missing values differ.
    """

    type: Literal["expect_column_pair_values_to_be_equal"]
    title_template: ClassVar[str] = "{column_A} equals {column_B}"

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
        if MIXED in (a.dtype, b.dtype):
            return _alike(a, b)
        a.same_family(b)
        return a.ordered == b.ordered


def _pairs(value: Any) -> tuple[tuple[Any, Any], ...] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple | set | frozenset):
        raise ValueError(f"wanted a list of pairs, got {shown(value)}")
    for pair in value:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError(f"wanted pairs of two values, got {shown(pair)} among them")
    return tuple((a, b) for a, b in value)


#: Pairs of a value for `column_A` and one for `column_B`; null means a missing value.
PairSet = Annotated[
    tuple[tuple[Any, Any], ...] | None, PlainValidator(_pairs, json_schema_input_type=list[list[Any]] | None)
]


class PairInSet(PairRule):
    """The values of `column_A` and `column_B` are one of the pairs in `value_pairs_set`.

    A missing value equals only a null in a pair. Without a set every pair passes.
    """

    type: Literal["expect_column_pair_values_to_be_in_set"]
    title_template: ClassVar[str] = "{column_A} and {column_B} are one of the declared pairs"
    value_pairs_set: PairSet

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"a": ["x", "y", None], "b": [1, 1, None]},
            {"column_A": "a", "column_B": "b", "value_pairs_set": [["x", 1], ["y", 2]]},
            {"unexpected_count": 1, "missing_count": 1},
        ),
        Example(
            {"a": ["x", "x"], "b": [1, None]},
            {"column_A": "a", "column_B": "b", "value_pairs_set": [["x", 1], ["x", None]]},
            {"success": True},
        ),
        Example(
            {"a": ["x", "x"], "b": [1, None]},
            {
                "column_A": "a",
                "column_B": "b",
                "value_pairs_set": [["x", 1]],
                "ignore_row_if": "either_value_is_missing",
            },
            {"success": True, "missing_count": 1},
        ),
    )

    def holds(self, a: Value, b: Value) -> nw.Expr:
        if self.value_pairs_set is None:
            return a.is_missing | ~a.is_missing
        partners: dict[Any, list[Any]] = {}
        for first, second in self.value_pairs_set:
            partners.setdefault(first, []).append(second)
        found = [_among(a, [first]) & _among(b, seconds) for first, seconds in partners.items()]
        return nw.any_horizontal(*found, ignore_nulls=False) if found else a.is_missing & ~a.is_missing


def _alike(a: Value, b: Value) -> nw.Expr:
    """Whether two values are equal, if one or both are of a column of mixed types."""
    if a.dtype == b.dtype:
        number, text, of_type = (a.expr.struct.field(n) == b.expr.struct.field(n) for n in ("number", "text", "type"))
        return number.fill_null(False) | (text & of_type)
    mixed, other = (a, b) if a.dtype == MIXED else (b, a)
    if other.family in ("number", "boolean"):
        return mixed.expr.struct.field("number") == other.number.cast(nw.Float64)
    kind = {"text": "str", "date": "date"}.get(other.family, "")
    return (mixed.expr.struct.field("type") == nw.lit(kind)) & (mixed.expr.struct.field("text") == other.text)


def _among(value: Value, wanted: Iterable[Any]) -> nw.Expr:
    """Boolean, never null: the value is one of `wanted`, in which None means a missing value."""
    items = list(wanted)
    literals = value.literals(items)
    equal = value.ordered.is_in(literals).fill_null(False) if literals else value.is_missing & ~value.is_missing
    return equal | value.is_missing if None in items else equal
