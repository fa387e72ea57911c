"""Rules on membership in a set of values."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar, Literal

import narwhals as nw
from pydantic import PlainValidator

from dq_pipelines.config.model import shown
from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.on_rows import ColumnRule


def _set(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple | set | frozenset):
        raise ValueError(f"wanted a list of values, got {shown(value)}")
    if nested := [item for item in value if isinstance(item, dict | list | set | tuple)]:
        raise ValueError(f"wanted single values, got {shown(nested[0])} among them")
    return tuple(value)


#: Values of any types, also mixed; the order does not matter.
ValueSet = Annotated[tuple[Any, ...], PlainValidator(_set, json_schema_input_type=list[Any])]


class ValuesInSet(ColumnRule):
    """Every value is one of `value_set`; values of different types (`1` and `"1"`) differ."""

    type: Literal["expect_column_values_to_be_in_set"]
    title_template: ClassVar[str] = "{column} is one of {value_set}"
    value_set: ValueSet

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": ["a", "b", None]}, {"column": "x", "value_set": ["a", "b"]}, {"success": True, "missing_count": 1}
        ),
        Example({"x": ["a", "A", "c"]}, {"column": "x", "value_set": ["a", "b"]}, {"unexpected_count": 2}),
        Example({"x": [1, 2, 3]}, {"column": "x", "value_set": [1.0, "2"]}, {"unexpected_count": 2}),
        Example({"x": [1, None]}, {"column": "x", "value_set": []}, {"unexpected_count": 1, "missing_count": 1}),
        Example({"x": [True, False]}, {"column": "x", "value_set": [True]}, {"unexpected_count": 1}),
        Example(
            {"x": [date(2026, 1, 1), date(2026, 1, 2)]},
            {"column": "x", "value_set": ["2026-01-01"]},
            {"unexpected_count": 1},
        ),
    )

    def holds(self, value: Value) -> nw.Expr:
        return value.is_one_of(self.value_set)


class ValuesNotInSet(ColumnRule):
    """No value is one of `value_set`; values of different types (`1` and `"1"`) differ."""

    type: Literal["expect_column_values_to_not_be_in_set"]
    title_template: ClassVar[str] = "{column} is none of {value_set}"
    value_set: ValueSet

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": ["a", "b", None]}, {"column": "x", "value_set": ["c"]}, {"success": True, "missing_count": 1}),
        Example({"x": ["a", "b"]}, {"column": "x", "value_set": ["a", None]}, {"unexpected_count": 1}),
        Example({"x": [1, 2]}, {"column": "x", "value_set": []}, {"success": True}),
    )

    def holds(self, value: Value) -> nw.Expr:
        return ~value.is_one_of(self.value_set)
