"""Defines the base classes of rules that decide for each row whether it fails: by one value, two, or several."""

from __future__ import annotations

import abc
from typing import Annotated, ClassVar, Literal

import narwhals as nw
from pydantic import Field

from dq_pipelines.config.model import Many
from dq_pipelines.rules.core.auxiliary_queries import AuxiliaryQuery
from dq_pipelines.rules.core.base import Dimension, Mostly, OnFailure, Rule
from dq_pipelines.rules.core.column_statistics import NO_STATISTICS
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns


class RowRule(Rule):
    """A rule that decides for each row whether it fails."""

    mostly: Mostly | None = None

    #: whether the rule ignores rows with a missing value (in GX all rules except the null rules)
    ignores_missing: ClassVar[bool] = True
    #: what the result for a row depends on: the row itself (or its duplicates), the column's other values, or the previous row
    looks_at: ClassVar[Literal["row", "table", "order"]] = "row"

    @property
    def action(self) -> OnFailure:
        return self.on_failure or ("quarantine" if self.severity == "critical" else "warn")

    @property
    def refuses(self) -> bool:
        """Whether a failing row is not published."""
        return self.action in ("quarantine", "drop")

    def auxiliary_query(self) -> AuxiliaryQuery | None:
        """The question that the engine must answer outside of the scan (a key of `Columns.answers`), if any."""
        return None

    @abc.abstractmethod
    def missing(self, columns: Columns) -> nw.Expr:
        """Boolean per row: the rule ignores the row because of missing values."""

    @abc.abstractmethod
    def fails(self, columns: Columns) -> nw.Expr:
        """Boolean per row, never null: the row breaks the rule, without regard to `row_condition`."""

    def surely_holds(self, columns: Columns) -> bool:
        """Whether the table's metadata prove that no row fails."""
        return False

    def known_missing(self, columns: Columns) -> int | None:
        """The number of rows that the rule ignores, if metadata give it, without regard to `row_condition`; else None."""
        return None

    def tolerates(self, unexpected: int, judged: int) -> bool:
        """Whether `unexpected` of `judged` rows (without ignored ones) is within `mostly`."""
        if self.mostly is None:
            return unexpected == 0
        # GX compares the share of good rows; an empty table passes.
        return judged == 0 or (judged - unexpected) / judged >= self.mostly

    def blocks(self, unexpected: int, judged: int) -> bool:
        """Whether the whole batch is refused: by `on_failure: block`, or because a refusing rule exceeds its `mostly`."""
        if self.action == "block":
            return not self.tolerates(unexpected, judged)
        return self.refuses and self.mostly is not None and not self.tolerates(unexpected, judged)


class ColumnRule(RowRule):
    """A rule on each value of one column."""

    column: Annotated[str, Field(min_length=1)]

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return (self.column,)

    @abc.abstractmethod
    def holds(self, value: Value) -> nw.Expr:
        """Boolean per row: the value meets the rule. The result for a missing value is not used."""

    def missing(self, columns: Columns) -> nw.Expr:
        return columns[self.column].is_missing

    def known_missing(self, columns: Columns) -> int | None:
        return columns.statistics.get(self.column, NO_STATISTICS).missing

    def fails(self, columns: Columns) -> nw.Expr:
        value = columns[self.column]
        if self.ignores_missing and value.family == "unknown":
            return nw.lit(False)  # a column of only nulls has nothing to judge and no type
        return (~self.holds(value)).fill_null(False)


class PairRule(RowRule):
    """A rule on the values of two columns in one row."""

    dimension: ClassVar[Dimension] = "consistency"

    column_A: Annotated[str, Field(min_length=1)]
    column_B: Annotated[str, Field(min_length=1)]
    ignore_row_if: Literal["both_values_are_missing", "either_value_is_missing", "neither"] = "both_values_are_missing"

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return (self.column_A, self.column_B)

    @abc.abstractmethod
    def holds(self, a: Value, b: Value) -> nw.Expr:
        """Boolean per row: the two values meet the rule."""

    def missing(self, columns: Columns) -> nw.Expr:
        a, b = columns[self.column_A].is_missing, columns[self.column_B].is_missing
        match self.ignore_row_if:
            case "both_values_are_missing":
                return a & b
            case "either_value_is_missing":
                return a | b
            case "neither":
                return _never(a)

    def fails(self, columns: Columns) -> nw.Expr:
        holds = self.holds(columns[self.column_A], columns[self.column_B]).fill_null(False)
        return ~holds & ~self.missing(columns)


class MulticolumnRule(RowRule):
    """A rule on the values of several columns in one row."""

    dimension: ClassVar[Dimension] = "consistency"

    column_list: Annotated[Many[str], Field(min_length=2)]
    ignore_row_if: Literal["all_values_are_missing", "any_value_is_missing", "never"] = "all_values_are_missing"

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return self.column_list

    @abc.abstractmethod
    def holds(self, columns: Columns) -> nw.Expr:
        """Boolean per row: the values meet the rule."""

    def missing(self, columns: Columns) -> nw.Expr:
        flags = [columns[name].is_missing for name in self.column_list]
        match self.ignore_row_if:
            case "all_values_are_missing":
                return nw.all_horizontal(*flags, ignore_nulls=True)
            case "any_value_is_missing":
                return nw.any_horizontal(*flags, ignore_nulls=True)
            case "never":
                return _never(flags[0])

    def fails(self, columns: Columns) -> nw.Expr:
        return ~self.holds(columns).fill_null(False) & ~self.missing(columns)


def _never(flag: nw.Expr) -> nw.Expr:
    """False for every row; a literal would have only one value, and engines sum one value per row."""
    return flag & nw.lit(False)
