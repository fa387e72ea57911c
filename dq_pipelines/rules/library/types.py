"""Rules on the type of a column. All values of a column have one type, so these rules read only the schema."""

from __future__ import annotations

import abc
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from narwhals.dtypes import DType
from pydantic import AfterValidator, Field

from dq_pipelines.config.model import Many
from dq_pipelines.rules.core.base import Example, Mostly
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_tables import TableRule
from dq_pipelines.rules.core.typenames import name_of, type_named


def _known(name: str) -> str:
    type_named(name)
    return name


#: A type by any of its names: int64, string, datetime, decimal(12,2), VARCHAR, StringType, datetime64[ns], …
TypeName = Annotated[str, AfterValidator(_known)]


class FoundType(str):
    """The name of a column's type, with the type itself, which has other names too."""

    __slots__ = ("dtype",)

    dtype: DType

    def __new__(cls, dtype: DType) -> Self:
        found = super().__new__(cls, name_of(dtype))
        found.dtype = dtype
        return found


class TypeRule(TableRule):
    """A rule on the type of one column. For a pandas frame, pandas decides: see `engine.backends.pandas.types`."""

    column: Annotated[str, Field(min_length=1)]

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return (self.column,)

    @abc.abstractmethod
    def names(self) -> tuple[str, ...]:
        """The accepted types, by any of their names."""

    def describe(self, columns: Columns) -> FoundType:
        return FoundType(columns[self.column].dtype)

    def accepts(self, observed: Any) -> bool:
        return any(type_named(name)(observed.dtype) for name in self.names())


class ValuesOfType(TypeRule):
    """The column is of type `type_`, by any of its names.

    A name without a size matches every size. A time unit is ignored; a time zone, precision and scale must match.
    """

    type: Literal["expect_column_values_to_be_of_type"]
    title_template: ClassVar[str] = "{column} is of type {type_}"
    type_: TypeName
    #: for a pandas column of objects, the least share of values of the type; any other column has one type
    mostly: Mostly | None = None

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, None]}, {"column": "x", "type_": "int64"}, {"success": True, "observed_value": "int64"}),
        Example({"x": [1, None]}, {"column": "x", "type_": "LongType"}, {"success": True}),
        Example({"x": ["1"]}, {"column": "x", "type_": "int"}, {"success": False, "observed_value": "string"}),
        Example({"x": ["1"]}, {"column": "x", "type_": "VARCHAR"}, {"success": True}),
        Example({"x": [Decimal("1.50")]}, {"column": "x", "type_": "decimal(12,2)"}, {"success": False}),
        Example(
            {"x": [datetime.fromisoformat("2026-01-01")]}, {"column": "x", "type_": "datetime64[ns]"}, {"success": True}
        ),
        Example(
            {"x": [datetime.fromisoformat("2026-01-01")]}, {"column": "x", "type_": "timestamptz"}, {"success": False}
        ),
    )

    def names(self) -> tuple[str, ...]:
        return (self.type_,)


class ColumnOfType(TypeRule):
    """The column itself is of type `type_`, by any of its names."""

    type: Literal["expect_column_type_to_be"]
    title_template: ClassVar[str] = "{column} is of type {type_}"
    type_: TypeName

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1, None]}, {"column": "x", "type_": "int64"}, {"success": True, "observed_value": "int64"}),
        Example({"x": [1.5]}, {"column": "x", "type_": "int64"}, {"success": False, "observed_value": "float64"}),
    )

    def names(self) -> tuple[str, ...]:
        return (self.type_,)


class ValuesInTypeList(TypeRule):
    """The column is of one of the types in `type_list`, each by any of its names; without a list every type passes."""

    type: Literal["expect_column_values_to_be_in_type_list"]
    title_template: ClassVar[str] = "{column} is of one of the types {type_list}"
    type_list: Annotated[Many[TypeName], Field(min_length=1)] | None
    #: for a pandas column of objects, the least share of values of the types; any other column has one type
    mostly: Mostly | None = None

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": [1]}, {"column": "x", "type_list": ["string", "int"]}, {"success": True}),
        Example({"x": [1.5]}, {"column": "x", "type_list": ["string", "int"]}, {"success": False}),
    )

    def names(self) -> tuple[str, ...]:
        return self.type_list or ()

    def accepts(self, observed: Any) -> bool:
        return self.type_list is None or super().accepts(observed)
