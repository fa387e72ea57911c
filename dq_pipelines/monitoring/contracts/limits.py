"""Converts a contract's `mustBe…` operators to bounds of a rule, or to a SQL condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dq_pipelines.config.model import shown
from dq_pipelines.monitoring.contracts.part import OPERATORS, Part

_SIGNS = {
    "mustBe": "=", "mustNotBe": "<>", "mustBeGreaterThan": ">", "mustBeGreaterOrEqualTo": ">=", "mustBeLessThan": "<",
    "mustBeLessOrEqualTo": "<=",
}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """The operators of a quality entry, all of which must hold."""

    given: dict[str, Any]

    @property
    def sql(self) -> str:
        """The condition on the number `found`."""
        return " AND ".join(_condition(operator, value) for operator, value in self.given.items())

    @property
    def is_none(self) -> bool:
        """Whether only zero is allowed."""
        upper = self.given.get("mustBe", self.given.get("mustBeLessOrEqualTo"))
        return len(self.given) == 1 and upper == 0

    @property
    def bounds(self) -> dict[str, Any] | None:
        """The operators as `min_value` and `max_value` of a rule; None where bounds cannot express them."""
        bounds: dict[str, Any] = {}
        for operator, value in self.given.items():
            match operator:
                case "mustBe":
                    added = {"min_value": value, "max_value": value}
                case "mustBeGreaterThan":
                    added = {"min_value": value, "strict_min": True}
                case "mustBeGreaterOrEqualTo":
                    added = {"min_value": value}
                case "mustBeLessThan":
                    added = {"max_value": value, "strict_max": True}
                case "mustBeLessOrEqualTo":
                    added = {"max_value": value}
                case "mustBeBetween":
                    added = {"min_value": value[0], "max_value": value[1]}
                case _:
                    return None
            if bounds.keys() & added.keys():
                return None
            bounds |= added
        return bounds


def limits_of(part: Part) -> Limits | None:
    """Reads the operators of a quality entry; None without any, or where one is invalid, which is added to the problems."""
    given = {}
    for operator in OPERATORS:
        if operator not in part:
            continue
        value = part.take(operator)
        pair = operator in ("mustBeBetween", "mustNotBeBetween")
        if pair and not (isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))):
            part.wrong(operator, f"{operator}: wanted two numbers, got {shown(value)}")
            return None
        if not pair and not _is_number(value):
            part.wrong(operator, f"{operator}: wanted a number, got {shown(value)}")
            return None
        given[operator] = value
    return Limits(given) if given else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _condition(operator: str, value: Any) -> str:
    if operator == "mustBeBetween":
        return f"found BETWEEN {value[0]} AND {value[1]}"
    if operator == "mustNotBeBetween":
        return f"NOT (found BETWEEN {value[0]} AND {value[1]})"
    return f"found {_SIGNS[operator]} {value}"
