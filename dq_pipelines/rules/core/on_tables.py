"""Defines the base classes of rules that judge the table as a whole; they never mark rows."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import narwhals as nw
from pydantic import Field, model_validator

from dq_pipelines.rules.core.base import Dimension, OnFailure, Rule
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.query import Query


class WholeTableRule(Rule):
    """A rule that judges the whole table; it never marks rows."""

    @property
    def action(self) -> OnFailure:
        return self.on_failure or ("block" if self.severity == "critical" else "warn")

    @model_validator(mode="after")
    def _marks_no_rows(self) -> WholeTableRule:
        if self.on_failure in ("quarantine", "drop"):
            raise ValueError(f"on_failure: {self.on_failure} wants a rule on rows; {self.type} judges the whole table")
        return self

    @abc.abstractmethod
    def accepts(self, observed: Any) -> bool:
        """Whether the observed value meets the rule."""

    def remark(self, observed: Any) -> str:
        """A remark to show after the observed value, or its text; "" for none."""
        return ""

    def details(self, observed: Any) -> Mapping[str, Any]:
        """The differences from the expected value, as GX's `result.details`; empty for none."""
        return {}

    def fields(self, observed: Any, *, complete: bool) -> Mapping[str, Any]:
        """The result's fields by GX's names; `complete`: including lists of rows."""
        details = self.details(observed)
        return {"observed_value": observed, **({"details": details} if details else {})}


class AggregateRule(WholeTableRule):
    """A rule on one scalar (number, date or text), or a few, computed from one column in the scan."""

    column: Annotated[str, Field(min_length=1)]

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return (self.column,)

    @abc.abstractmethod
    def observe(self, value: Value) -> nw.Expr | Mapping[str, nw.Expr]:
        """One scalar, or several by name. Missing values, and rows outside `row_condition`, are null in `value`."""

    def conclude(self, found: Mapping[str, Any], rows: int) -> Any:
        """The observed value, from several scalars and the number of judged rows."""
        raise NotImplementedError(f"{self.type} observes one scalar")


class TableRule(WholeTableRule):
    """A rule on the number of rows, or on the names or types of the columns."""

    def observe(self, columns: Columns) -> nw.Expr | None:
        """One scalar computed in the scan, or None if `describe` answers from the schema."""
        return None

    def describe(self, columns: Columns) -> Any:
        """The observed value, from the schema only."""
        raise NotImplementedError(f"{self.type} needs observe() or describe()")


#: Returns the published rows of `<layer>/<table>`.
Tables = Callable[[str], "nw.LazyFrame[Any]"]


class GroupRule(WholeTableRule):
    """A rule on a small frame of grouped rows, computed outside of the scan: value counts, distinct values, …"""

    @property
    def reads(self) -> tuple[str, ...]:
        """Other tables that the rule reads, as `<layer>/<table>`."""
        return ()

    @abc.abstractmethod
    def group(self, rows: nw.LazyFrame[Any], columns: Columns, tables: Tables) -> nw.LazyFrame[Any]:
        """The small frame, from the judged rows."""

    @abc.abstractmethod
    def conclude(self, found: Sequence[Mapping[str, Any]], columns: Columns) -> Any:
        """The observed value, from the rows of the small frame."""


class QueryRule(WholeTableRule):
    """A rule on the results of SQL queries, in which `{batch}` names the judged rows."""

    dimension: ClassVar[Dimension] = "consistency"

    @property
    def reads(self) -> tuple[str, ...]:
        """Other tables that the queries read, as `<layer>/<table>`."""
        return tuple(dict.fromkeys(table for query in self.queries for table in query.tables))

    @property
    @abc.abstractmethod
    def queries(self) -> tuple[Query, ...]:
        """The queries, in the order of the arguments of `conclude`."""

    @abc.abstractmethod
    def conclude(self, *found: Sequence[Mapping[str, Any]]) -> Any:
        """The observed value, from the rows of each query."""
