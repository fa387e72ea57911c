"""Rules on the number of rows and columns of a table, and on the names of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Annotated, Any, ClassVar, Literal

import narwhals as nw
from pydantic import Field

from dq_pipelines.config.model import Many
from dq_pipelines.rules.core.base import Dimension, Example
from dq_pipelines.rules.core.bounds import Bounded
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_tables import TableRule


class CountRule(TableRule):
    """A rule on the number of rows, or of those that `row_condition` selects."""

    dimension: ClassVar[Dimension] = "completeness"

    def observe(self, columns: Columns) -> nw.Expr:
        condition = self.condition(columns)
        return nw.len() if condition is None else columns.dialect.count(condition)


class RowCountBetween(Bounded, CountRule):
    """The number of rows lies between `min_value` and `max_value`, both included unless strict."""

    type: Literal["expect_table_row_count_to_be_between"]
    title_template: ClassVar[str] = "the number of rows is {bounds}"
    min_value: int | None = None
    max_value: int | None = None

    crossed: ClassVar[Literal["refused", "unfit", "judged"]] = "refused"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, None]}, {"min_value": 1, "max_value": 2}, {"success": True, "observed_value": 2}),
        Example({"x": [1, 2]}, {"max_value": 2, "strict_max": True}, {"success": False}),
        Example({"x": [1, 2]}, {"min_value": 2, "row_condition": "x > 1"}, {"success": False, "observed_value": 1}),
        Example({"x": []}, {"min_value": 1}, {"success": False, "observed_value": 0}),
    )

    def accepts(self, observed: Any) -> bool:
        return self.admits(observed)


class RowCountEqual(CountRule):
    """The number of rows is `value`."""

    type: Literal["expect_table_row_count_to_equal"]
    title_template: ClassVar[str] = "the number of rows is {value}"
    value: int

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, None]}, {"value": 2}, {"success": True, "observed_value": 2}),
        Example({"x": []}, {"value": 1}, {"success": False, "observed_value": 0}),
    )

    def accepts(self, observed: Any) -> bool:
        return bool(observed == self.value)


class ColumnCountBetween(Bounded, TableRule):
    """The number of columns lies between `min_value` and `max_value`, both included unless strict."""

    dimension: ClassVar[Dimension] = "consistency"

    type: Literal["expect_table_column_count_to_be_between"]
    title_template: ClassVar[str] = "the number of columns is {bounds}"
    min_value: int | None = None
    max_value: int | None = None

    crossed: ClassVar[Literal["refused", "unfit", "judged"]] = "unfit"
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1], "y": [2]}, {"min_value": 1, "max_value": 2}, {"success": True, "observed_value": 2}),
        Example({"x": [1], "y": [2]}, {"min_value": 3}, {"success": False}),
    )

    def describe(self, columns: Columns) -> int:
        self.bounds_fit()
        return len(columns.schema)

    def accepts(self, observed: Any) -> bool:
        return self.admits(observed)


class ColumnCountEqual(TableRule):
    """The number of columns is `value`."""

    dimension: ClassVar[Dimension] = "consistency"

    type: Literal["expect_table_column_count_to_equal"]
    title_template: ClassVar[str] = "the number of columns is {value}"
    value: int

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1], "y": [2]}, {"value": 2}, {"success": True, "observed_value": 2}),
        Example({"x": [1], "y": [2]}, {"value": 1}, {"success": False}),
    )

    def describe(self, columns: Columns) -> int:
        return len(columns.schema)

    def accepts(self, observed: Any) -> bool:
        return bool(observed == self.value)


class ColumnExists(TableRule):
    """The table has the column `column`, with `column_index` at that place (0 is the first, -1 the last)."""

    dimension: ClassVar[Dimension] = "consistency"

    type: Literal["expect_column_to_exist"]
    title_template: ClassVar[str] = "there is a column {column}"
    column: Annotated[str, Field(min_length=1)]
    column_index: int | None = None

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1], "y": [2]}, {"column": "y"}, {"success": True}),
        Example({"x": [1], "y": [2]}, {"column": "z"}, {"success": False}),
        Example({"x": [1], "y": [2]}, {"column": "y", "column_index": 1}, {"success": True}),
        Example({"x": [1], "y": [2]}, {"column": "y", "column_index": 0}, {"success": False}),
        Example({"x": [1], "y": [2]}, {"column": "y", "column_index": -1}, {"success": True}),
    )

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return (self.column,)

    def describe(self, columns: Columns) -> list[str]:
        return list(columns.schema)

    def accepts(self, observed: Any) -> bool:
        if self.column_index is None:
            return self.column in observed
        try:
            return bool(observed[self.column_index] == self.column)
        except IndexError:
            return False


class ColumnsMatchSet(TableRule):
    """The columns are those of `column_set` in any order; with `exact_match: false` there may be others."""

    dimension: ClassVar[Dimension] = "consistency"

    type: Literal["expect_table_columns_to_match_set"]
    title_template: ClassVar[str] = "the table has the columns {column_set}"
    column_set: Many[str] | None
    exact_match: bool | None = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1], "y": [2]}, {"column_set": ["y", "x"]}, {"success": True, "observed_value": ["x", "y"]}),
        Example({"x": [1], "y": [2]}, {"column_set": ["x"]}, {"success": False}),
        Example({"x": [1], "y": [2]}, {"column_set": ["x"], "exact_match": False}, {"success": True}),
        Example({"x": [1]}, {"column_set": ["x", "z"], "exact_match": False}, {"success": False}),
    )

    def describe(self, columns: Columns) -> list[str]:
        return sorted(columns.schema)

    def accepts(self, observed: Any) -> bool:
        missing, unexpected = self._mismatch(observed)
        return not missing and not (self.exact_match and unexpected)

    def details(self, observed: Any) -> Mapping[str, Any]:
        missing, unexpected = self._mismatch(observed)
        found = {"unexpected": unexpected, "missing": missing}
        return {"mismatched": {key: names for key, names in found.items() if names}}

    def _mismatch(self, observed: list[str]) -> tuple[list[str], list[str]]:
        wanted = set(self.column_set or ())
        return sorted(wanted - set(observed)), sorted(set(observed) - wanted)


class ColumnsMatchOrderedList(TableRule):
    """The columns are exactly those of `column_list`, in that order."""

    dimension: ClassVar[Dimension] = "consistency"

    type: Literal["expect_table_columns_to_match_ordered_list"]
    title_template: ClassVar[str] = "the columns are {column_list}, in this order"
    column_list: Many[str] | None

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1], "y": [2]}, {"column_list": ["x", "y"]}, {"success": True, "observed_value": ["x", "y"]}),
        Example({"x": [1], "y": [2]}, {"column_list": ["y", "x"]}, {"success": False}),
        Example({"x": [1], "y": [2]}, {"column_list": ["x"]}, {"success": False}),
    )

    def describe(self, columns: Columns) -> list[str]:
        return list(columns.schema)

    def accepts(self, observed: Any) -> bool:
        return self.column_list is None or list(self.column_list) == list(observed)

    def details(self, observed: Any) -> Mapping[str, Any]:
        pairs = enumerate(zip_longest(self.column_list or observed, observed))
        mismatched = [
            {"Expected Column Position": place, "Expected": wanted, "Found": found}
            for place, (wanted, found) in pairs
            if wanted != found
        ]
        return {"mismatched": mismatched} if mismatched else {}
