"""A rule on functional dependencies: other columns determine a value."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import narwhals as nw
from pydantic import Field

from dq_pipelines.config.model import Many
from dq_pipelines.rules.core.auxiliary_queries import Determined
from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_rows import ColumnRule


class ValuesDetermined(ColumnRule):
    """Rows with the same values in the columns `by` have the same value: of several, all but the most frequent one fail.

    If two values are equally frequent, it is unknown which is right, and all of them fail. The rule ignores rows with a
    missing value in one of the columns.
    """

    type: Literal["expect_column_values_to_be_determined_by"]
    title_template: ClassVar[str] = "{column} is determined by {by}"
    #: the columns that determine the value, such as `[zip]` for a city
    by: Annotated[Many[str], Field(min_length=1)]

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"city": ["Bend", "Bend", "Bnd", "Gary"], "zip": ["97701", "97701", "97701", "46402"]},
            {"column": "city", "by": ["zip"]},
            {"unexpected_count": 1},
        ),
        Example(
            {"city": ["Bend", "Bend", None], "zip": [1, 2, 1]}, {"column": "city", "by": ["zip"]}, {"success": True}
        ),
        Example({"city": ["Bend", "Gary"], "zip": [1, 1]}, {"column": "city", "by": ["zip"]}, {"unexpected_count": 2}),
        Example(
            {"city": ["Bend", "Gary", "Bend"], "zip": [1, None, None]},
            {"column": "city", "by": ["zip"]},
            {"success": True, "missing_count": 2},
        ),
        Example(
            {"x": [1, 2, 2, 1], "a": ["p", "p", "p", "p"], "b": [1.0, 2.0, 2.0, float("nan")]},
            {"column": "x", "by": ["a", "b"]},
            {"success": True, "missing_count": 1},
        ),
        Example(
            {"x": [1, 1, 2, 2], "a": ["p", "p", "p", "p"], "day": ["mon", "mon", "mon", "tue"]},
            {"column": "x", "by": ["a"], "row_condition": 'day == "mon"'},
            {"unexpected_count": 1, "element_count": 3},
        ),
    )

    def auxiliary_query(self) -> Determined:
        return Determined(self.column, tuple(self.by), self.row_condition)

    def holds(self, value: Value) -> nw.Expr:
        raise NotImplementedError("the engine determines the most frequent value outside of the scan")

    def missing(self, columns: Columns) -> nw.Expr:
        return nw.any_horizontal(*(columns[name].is_missing for name in (self.column, *self.by)), ignore_nulls=True)

    def known_missing(self, columns: Columns) -> int | None:
        return None

    def fails(self, columns: Columns) -> nw.Expr:
        for name in (self.column, *self.by):
            _ = columns[name].ordered  # lists and structs cannot be compared
        return (~columns.answer(self.auxiliary_query())).fill_null(False)
