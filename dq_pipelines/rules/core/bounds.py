"""Defines the bounds `min_value`, `max_value`, `strict_min` and `strict_max` for every rule that has them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

import narwhals as nw
from pydantic import PlainValidator, ValidationInfo, model_validator

from dq_pipelines.config.model import Strict, shown
from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.base import is_nan
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.evaluation_parameters import moment

#: Key of the validation context: accept bounds that GX accepts but a project must not contain.
AS_GX_DOES = "as_gx_does"


def _bound(value: Any) -> Any:
    if isinstance(value, dict):
        moment(value)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | date | time | str | None):
        raise ValueError(f"wanted a number, a date or text, got {shown(value)}")
    if value == "":
        raise ValueError("wanted a number, a date or text, got ''")
    return value


#: A number, a date, a time of day, or text (ISO 8601 text bounds a date column).
Bound = Annotated[Any, PlainValidator(_bound, json_schema_input_type=int | float | str | date | datetime | None)]


class Bounded(Strict):
    """The four arguments; a rule with bounds inherits from this class and from its kind of rule."""

    min_value: Bound = None
    max_value: Bound = None
    #: whether the bound itself is excluded
    strict_min: bool = False
    strict_max: bool = False

    #: whether a rule without any bound is refused, as in GX for rules on rows
    needs_a_bound: ClassVar[bool] = False
    #: how GX treats a lower bound above the upper one: it refuses the rule, fails to evaluate it, or finds
    #: that no value lies between. In a project such a rule is always refused, since it is never intended.
    crossed: ClassVar[Literal["refused", "unfit", "judged"]] = "judged"

    @model_validator(mode="after")
    def _bounds_make_sense(self, info: ValidationInfo) -> Self:
        low, high = self.min_value, self.max_value
        if self.needs_a_bound and low is None and high is None:
            raise ValueError("min_value and max_value cannot both be missing")
        strict = self.crossed == "refused" or not (info.context or {}).get(AS_GX_DOES)
        if self._cross and strict:
            raise ValueError(f"min_value ({low}) cannot be greater than max_value ({high})")
        return self

    @property
    def _cross(self) -> bool:
        low, high = self.min_value, self.max_value
        return low is not None and high is not None and _greater(low, high)

    def bounds_fit(self) -> None:
        """Raise RuleError for bounds that cross, if GX fails to evaluate them."""
        if self.crossed == "unfit" and self._cross:
            raise RuleError(f"min_value ({self.min_value}) cannot be greater than max_value ({self.max_value})")

    def within(self, expr: nw.Expr, literal: Callable[[Any], Any] = lambda bound: bound) -> nw.Expr:
        """Boolean: `expr` lies within the bounds; `literal` converts a bound to the type of `expr`."""
        low, high = (None if bound is None else literal(bound) for bound in (self.min_value, self.max_value))
        if low is not None and high is not None and not (self.strict_min or self.strict_max):
            # Narwhals reads a plain text here as a column's name, on some engines.
            low, high = (nw.lit(bound) if isinstance(bound, str) else bound for bound in (low, high))
            return expr.is_between(low, high)
        parts = []
        if low is not None:
            parts.append(expr > low if self.strict_min else expr >= low)
        if high is not None:
            parts.append(expr < high if self.strict_max else expr <= high)
        return parts[0] if len(parts) == 1 else parts[0] & parts[1] if parts else nw.lit(True)

    def admits(self, observed: Any) -> bool:
        """Whether one observed value lies within the bounds; a missing one (None, NaN) does not, as in GX."""
        if observed is None or is_nan(observed):
            return False
        low, high = (None if bound is None else _like(observed, bound) for bound in (self.min_value, self.max_value))
        above = low is None or bool(observed > low if self.strict_min else observed >= low)
        below = high is None or bool(observed < high if self.strict_max else observed <= high)
        return above and below


def _greater(low: Any, high: Any) -> bool:
    low, high = _moment(low), _moment(high)
    if isinstance(low, str) != isinstance(high, str):
        raise ValueError(f"min_value ({low!r}) and max_value ({high!r}) cannot be compared")
    try:
        return bool(low > high)
    except TypeError:
        raise ValueError(f"min_value ({low!r}) and max_value ({high!r}) cannot be compared") from None


def _moment(bound: Any) -> Any:
    """A date as its midnight, so that it compares with a datetime; other bounds unchanged."""
    if isinstance(bound, dict):
        return moment(bound)
    if isinstance(bound, date) and not isinstance(bound, datetime):
        return datetime.combine(bound, time())
    return bound


def _like(observed: Any, bound: Any) -> Any:
    """`bound` in the type of the observed value; raises RuleError if it cannot be converted."""
    if type(observed) is int and type(bound) is int:
        return bound  # exact, also beyond 64 bits
    return Value("observed value", nw.lit(None), _dtype_of(observed)).literal(bound)


def _dtype_of(observed: Any) -> Any:
    match observed:
        case bool() | float():
            return nw.Float64()
        case int():
            return nw.Int64()
        case Decimal():
            return nw.Decimal()
        case datetime():
            return nw.Datetime(time_zone="UTC" if observed.tzinfo else None)
        case date():
            return nw.Date()
        case time():
            return nw.Time()
    return nw.String()
