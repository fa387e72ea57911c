"""Defines the rules for custom expectations, written for Great Expectations, which GX evaluates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import narwhals as nw
from pydantic import model_validator

from dq_pipelines.rules.core.auxiliary_queries import ByGx
from dq_pipelines.rules.core.base import Rule, flat
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.condition import Condition
from dq_pipelines.rules.core.gx import expectation, is_handed_over, judges_rows
from dq_pipelines.rules.core.gx_condition import gx_condition
from dq_pipelines.rules.core.on_rows import RowRule
from dq_pipelines.rules.core.on_tables import TableRule

#: GX's arguments that name columns.
_COLUMNS = ("column", "column_A", "column_B", "column_list")


class _HandedOver(Rule):
    """The common base of both kinds."""

    #: the arguments of the expectation
    arguments: dict[str, Any] = {}

    @model_validator(mode="after")
    def _gx_accepts_it(self) -> _HandedOver:
        _ = self.expectation
        return self

    @cached_property
    def expectation(self) -> Any:
        """GX's object, with `row_condition`; `mostly` is applied by us, not by GX."""
        return expectation(self.type, self.given_to_gx)

    @property
    def given_to_gx(self) -> dict[str, Any]:
        """The arguments for GX."""
        if self.row_condition is None:
            return dict(self.arguments)
        return {**self.arguments, "row_condition": gx_condition(self.row_condition, self.condition_parser)}

    @property
    def kwargs(self) -> dict[str, Any]:
        own = {key: value for key, value in super().kwargs.items() if key != "arguments"}
        return {**self.arguments, **own}

    @property
    def gx_type(self) -> str:
        return str(self.expectation.expectation_type)

    @property
    def columns_judged(self) -> tuple[str, ...]:
        found: list[str] = []
        for key in _COLUMNS:
            value = getattr(self.expectation, key, None)
            found += [value] if isinstance(value, str) else value or ()
        return tuple(found)

    @property
    def columns_needed(self) -> tuple[str, ...]:
        """The columns that GX needs; empty if they are unknown, so that GX gets all columns."""
        if not self.columns_judged:
            return ()
        condition = () if self.row_condition is None else Condition.parse(self.row_condition).columns()
        return tuple(dict.fromkeys((*self.columns_judged, *condition)))


class RowsByGx(_HandedOver, RowRule):
    """An expectation with a result for each row: `ColumnMapExpectation` and similar ones."""

    def auxiliary_query(self) -> ByGx:
        return ByGx(self.type, json.dumps(self.given_to_gx, sort_keys=True, default=str))

    def missing(self, columns: Columns) -> nw.Expr:
        return columns.answer(self.auxiliary_query()).is_null()

    def fails(self, columns: Columns) -> nw.Expr:
        for name in self.columns_needed:
            columns[name]  # raises for an unknown column before GX does
        return ~columns.answer(self.auxiliary_query()).fill_null(True)


class TableByGx(_HandedOver, TableRule):
    """Any other expectation. The observed value is the whole result of GX."""

    def describe(self, columns: Columns) -> Any:
        for name in self.columns_needed:
            columns[name]
        return {}

    def accepts(self, observed: Any) -> bool:
        return bool(observed.get("success"))

    def fields(self, observed: Any, *, complete: bool) -> Mapping[str, Any]:
        found: Mapping[str, Any] = observed.get("result") or {}
        return found


def handed_over(value: Any) -> Rule | None:
    """The rule for a custom expectation, from a mapping; None for other types. Raises ValidationError or ValueError."""
    mapping = flat(value)
    type_ = mapping.get("type") if isinstance(mapping, Mapping) else None
    if not isinstance(type_, str) or not is_handed_over(type_):
        return None
    own = {key: item for key, item in mapping.items() if key in RowsByGx.model_fields and key != "arguments"}
    arguments = {key: item for key, item in mapping.items() if key not in own}
    cls = RowsByGx if judges_rows(expectation(type_, arguments)) else TableByGx
    return cls.model_validate({**own, "arguments": arguments})
