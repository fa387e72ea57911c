"""A rule on quantiles of one column, each within a range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

import narwhals as nw
from pydantic import Field, model_validator

from dq_pipelines.config.model import Many, Strict
from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.bounds import Bound
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.on_tables import AggregateRule

Interpolation = Literal["linear", "lower", "higher", "midpoint", "nearest"]
Share = Annotated[float, Field(ge=0, le=1)]


class QuantileRanges(Strict):
    """Quantiles, and the range for each of them; null leaves a side open."""

    quantiles: Many[Share]
    value_ranges: Many[Annotated[Many[Bound], Field(min_length=2, max_length=2)]]

    @model_validator(mode="after")
    def _of_one_length(self) -> Self:
        if len(self.quantiles) != len(self.value_ranges):
            raise ValueError(
                f"wanted as many value_ranges as quantiles, got {len(self.value_ranges)} for {len(self.quantiles)}"
            )
        return self


class QuantileValues(AggregateRule):
    """Each quantile lies within its range in `quantile_ranges`, both ends included; a column without values fails.

    A quantile is the value nearest to its place in the sorted column, unless `allow_relative_error` names
    another interpolation: linear, lower, higher or midpoint.
    """

    type: Literal["expect_column_quantile_values_to_be_between"]
    title_template: ClassVar[str] = "the quantiles of {column} are within their bounds"
    quantile_ranges: QuantileRanges
    allow_relative_error: Literal[False] | Interpolation = False

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": [1, 2, 3, 4, 5, None]},
            {"column": "x", "quantile_ranges": {"quantiles": [0.25, 0.5], "value_ranges": [[1, 2], [3, None]]}},
            {"success": True, "observed_value": {"quantiles": [0.25, 0.5], "values": [2, 3]}},
        ),
        Example(
            {"x": [1, 2, 3, 4]},
            {"column": "x", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[None, 2.4]]},
             "allow_relative_error": "linear"},
            {"success": False, "observed_value": {"quantiles": [0.5], "values": [2.5]}},
        ),
        Example(
            {"x": [None, None]},
            {"column": "x", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[None, None]]}},
            {"success": False},
        ),
    )  # fmt: skip

    def observe(self, value: Value) -> Mapping[str, nw.Expr]:
        if value.family not in ("number", "boolean", "date", "datetime", "unknown"):
            raise RuleError(f"column '{value.name}' is {value.dtype}: wanted numbers or dates")
        for low, high in self.quantile_ranges.value_ranges:
            _ = [value.literal(bound) for bound in (low, high) if bound is not None]
        number = value.number if value.family in ("number", "boolean", "unknown") else value.expr
        ways: tuple[Interpolation, ...] = ("lower", "higher") if self._way == "nearest" else (self._way,)
        found = {
            f"{way}.{place}": number.quantile(share, way)
            for place, share in enumerate(self.quantile_ranges.quantiles)
            for way in ways
        }
        return {"present": value.expr.count(), **found}

    def conclude(self, found: Mapping[str, Any], rows: int) -> dict[str, Any]:
        present = found["present"]
        values = []
        for place, share in enumerate(self.quantile_ranges.quantiles):
            way = _nearest(share, present) if self._way == "nearest" else self._way
            values.append(found[f"{way}.{place}"])
        return {"quantiles": list(self.quantile_ranges.quantiles), "values": values}

    def accepts(self, observed: Any) -> bool:
        return all(self._each_holds(observed))

    def details(self, observed: Any) -> Mapping[str, Any]:
        return {"success_details": self._each_holds(observed)}

    @property
    def _way(self) -> Interpolation:
        return self.allow_relative_error or "nearest"

    def _each_holds(self, observed: Mapping[str, Any]) -> list[bool]:
        return [
            _within(value, *bounds)
            for value, bounds in zip(observed["values"], self.quantile_ranges.value_ranges, strict=True)
        ]


def _nearest(share: float, present: int) -> Literal["lower", "higher"]:
    """Which neighbour of the place is nearer, of `present` values; half-way, the one at an even index, as in numpy."""
    index = share * (present - 1)
    below, beyond = math.floor(index), index - math.floor(index)
    return "lower" if beyond < 0.5 or (beyond == 0.5 and below % 2 == 0) else "higher"


def _within(value: Any, low: Any, high: Any) -> bool:
    """Whether the value is in the range, or within GX's tolerance of an end."""
    if value is None:
        return False
    value, low, high = (_number(item) for item in (value, low, high))
    if any(bound is not None and _close(value, bound) for bound in (low, high)):
        return True
    return (low is None or value >= low) and (high is None or value <= high)


def _number(item: Any) -> Any:
    if isinstance(item, str):
        item = datetime.fromisoformat(item)
    if isinstance(item, date) and not isinstance(item, datetime):
        item = datetime(item.year, item.month, item.day)  # noqa: DTZ001 - the column has none
    return item.timestamp() if isinstance(item, datetime) else None if item is None else float(item)


def _close(value: float, bound: float) -> bool:
    return value == bound or abs(value - bound) <= 1e-8 + 1e-4 * abs(bound)
