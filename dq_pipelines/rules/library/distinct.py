"""Rules on the distinct values of a column, and on the most common one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import narwhals as nw
from pydantic import Field, PrivateAttr

from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_tables import GroupRule, Tables
from dq_pipelines.rules.library.sets import ValueSet

VALUE, COUNT = "value", "count"

#: GX lists at most so many unexpected or missing values.
_MOST_LISTED = 20


class ValuesRule(GroupRule):
    """A rule on the distinct values of one column."""

    column: Annotated[str, Field(min_length=1)]
    value_set: ValueSet

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return (self.column,)


class DistinctRule(ValuesRule):
    """A rule that compares the column's distinct values with `value_set`; missing values do not count."""

    #: whether values outside the set fail, and whether values of the set that the column lacks fail
    no_others: ClassVar[bool]
    all_of_them: ClassVar[bool]

    #: whether the result lists all distinct values, not only those that fail
    _all_listed: bool = PrivateAttr(default=False)

    def in_full(self) -> Self:
        full = self.model_copy()
        full._all_listed = True  # noqa: SLF001 - a copy of this object
        return full

    def group(self, rows: nw.LazyFrame[Any], columns: Columns, tables: Tables) -> nw.LazyFrame[Any]:
        value = columns[self.column]
        wanted = value.is_one_of(self.value_set)
        if self._all_listed:
            return value_counts(rows, value)
        all_of_them = self.no_others and self.all_of_them
        kept = ~value.is_missing if all_of_them else wanted if self.all_of_them else ~wanted
        return rows.filter(kept).select(value.expr.alias(VALUE)).unique()

    def conclude(self, found: Sequence[Mapping[str, Any]], columns: Columns) -> dict[str, Any]:
        value = columns[self.column]
        present = [row[VALUE] for row in found]
        literals = [value.literals([wanted])[:1] for wanted in dict.fromkeys(self.value_set)]
        known = {literal for one in literals for literal in one}
        counts = {row[VALUE]: row.get(COUNT) for row in found} if self._all_listed else {}
        listed = {item: counts[item] for item in in_order(counts)}
        result: dict[str, Any] = {"counts": listed} if self._all_listed else {}
        if self.no_others:
            others = in_order(item for item in present if item not in known)
            result |= {"unexpected_count": len(others), "partial_unexpected_list": others[:_MOST_LISTED]}
        if self.all_of_them:
            pairs = zip(dict.fromkeys(self.value_set), literals, strict=True)
            missing = in_order(wanted for wanted, one in pairs if not one or one[0] not in present)
            result |= {"missing_count": len(missing), "partial_missing_list": missing[:_MOST_LISTED]}
        return result

    def accepts(self, observed: Any) -> bool:
        return not observed.get("unexpected_count") and not observed.get("missing_count")

    def fields(self, observed: Any, *, complete: bool) -> Mapping[str, Any]:
        # GX 1.24 always gives None; its published cases expect the values, which are also more useful.
        others = {name: found for name, found in observed.items() if name != "counts"}
        if not complete or "counts" not in observed:
            return {"observed_value": None, **others}
        counts = [{"value": value, "count": count} for value, count in observed["counts"].items()]
        return {"observed_value": list(observed["counts"]), **others, "details": {"value_counts": counts}}


class DistinctInSet(DistinctRule):
    """Every value in the column is one of `value_set`; missing values do not count."""

    type: Literal["expect_column_distinct_values_to_be_in_set"]
    title_template: ClassVar[str] = "every value of {column} is one of {value_set}"

    no_others: ClassVar[bool] = True
    all_of_them: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": ["a", "b", "b", None]}, {"column": "x", "value_set": ["a", "b", "c"]}, {"success": True}),
        Example(
            {"x": [1, 2, 2, 3]},
            {"column": "x", "value_set": [1, "2"]},
            {"success": False, "found": {"unexpected_count": 2, "partial_unexpected_list": [2, 3]}},
        ),
    )


class DistinctContainsSet(DistinctRule):
    """Every value of `value_set` occurs in the column; others may occur too."""

    type: Literal["expect_column_distinct_values_to_contain_set"]
    title_template: ClassVar[str] = "{column} has each of {value_set}"

    no_others: ClassVar[bool] = False
    all_of_them: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": ["a", "b", "c", None]}, {"column": "x", "value_set": ["a", "b"]}, {"success": True}),
        Example(
            {"x": [1, 2, 2]},
            {"column": "x", "value_set": [1, 3]},
            {"success": False, "found": {"missing_count": 1, "partial_missing_list": [3]}},
        ),
    )


class DistinctEqualsSet(DistinctRule):
    """The values in the column are exactly those of `value_set`; missing ones do not count."""

    type: Literal["expect_column_distinct_values_to_equal_set"]
    title_template: ClassVar[str] = "{column} has exactly the values {value_set}"

    no_others: ClassVar[bool] = True
    all_of_them: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": ["a", "b", "b", None]}, {"column": "x", "value_set": ["b", "a"]}, {"success": True}),
        Example({"x": ["a", "b"]}, {"column": "x", "value_set": ["a"]}, {"success": False}),
        Example({"x": ["a"]}, {"column": "x", "value_set": ["a", "b"]}, {"success": False}),
    )


class Modes(list[Any]):
    """The most common values, and the wanted ones in the column's type."""

    def __init__(self, values: Iterable[Any], wanted: Sequence[Any]) -> None:
        super().__init__(values)
        self.wanted = wanted


class MostCommonInSet(ValuesRule):
    """The most common value is one of `value_set`; a tie fails unless `ties_okay`.

    With `ties_okay`, one of the tied values in the set is enough. The observed value lists them.
    """

    type: Literal["expect_column_most_common_value_to_be_in_set"]
    title_template: ClassVar[str] = "the most common {column} is one of {value_set}"
    ties_okay: bool | None = None

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": ["a", "b", "b", None, None, None]},
            {"column": "x", "value_set": ["b"]},
            {"success": True, "observed_value": ["b"]},
        ),
        Example({"x": [1, 2]}, {"column": "x", "value_set": [1, 2]}, {"success": False, "observed_value": [1, 2]}),
        Example({"x": [1, 2]}, {"column": "x", "value_set": [1], "ties_okay": True}, {"success": True}),
        Example({"x": [None, None]}, {"column": "x", "value_set": [1]}, {"success": False, "observed_value": []}),
    )

    def group(self, rows: nw.LazyFrame[Any], columns: Columns, tables: Tables) -> nw.LazyFrame[Any]:
        counts = value_counts(rows, columns[self.column])
        return counts.filter(nw.col(COUNT) == nw.col(COUNT).max()).select(VALUE)

    def conclude(self, found: Sequence[Mapping[str, Any]], columns: Columns) -> Modes:
        value = columns[self.column]
        return Modes(in_order(row[VALUE] for row in found), value.literals(self.value_set))

    def accepts(self, observed: Any) -> bool:
        common = [value for value in observed if value in observed.wanted]
        return bool(common) if self.ties_okay else len(observed) == len(common) == 1


def value_counts(rows: nw.LazyFrame[Any], value: Value) -> nw.LazyFrame[Any]:
    """A frame of the present values, in column `value`, with their frequency, in `count`."""
    present = rows.filter(~value.is_missing).select(value.expr.alias(VALUE))
    return present.group_by(VALUE).agg(nw.len().alias(COUNT))


def in_order(values: Iterable[Any]) -> list[Any]:
    """The sorted values; values without a common order are sorted by type and text."""
    values = list(values)
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda value: (str(type(value)), str(value)))
