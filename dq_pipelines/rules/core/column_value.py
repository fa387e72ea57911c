"""Defines a column as a rule sees it: NaN is missing, and literals are converted to the column's type.

If engines and Great Expectations differ on nulls and types, this file decides for all rules.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from ctypes import c_float
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal

import narwhals as nw
from narwhals.dtypes import DType

from dq_pipelines.errors import RuleError
from dq_pipelines.rules.core.column_statistics import NO_STATISTICS, ColumnStatistics
from dq_pipelines.rules.core.dialect import POLARS, Dialect
from dq_pipelines.rules.core.evaluation_parameters import moment

#: Types whose values can be compared with one another; `unknown` is a column of nulls only.
Family = Literal["number", "boolean", "text", "date", "datetime", "time", "unknown", "other"]

_MOST_DIGITS = 38
_LARGEST_INTEGER = 2**63 - 1

#: A column of pandas objects of several types: each value as its type's name and its text, and numbers (of which
#: Python takes true and false for two) as a float, too.
MIXED = nw.Struct({"type": nw.String(), "text": nw.String(), "number": nw.Float64()})


def family(dtype: DType) -> Family:
    """The family of a type: values compare only within a family."""
    if dtype.is_numeric():
        return "number"
    match dtype:
        case nw.String() | nw.Categorical() | nw.Enum():
            return "text"
        case nw.Boolean():
            return "boolean"
        case nw.Date():
            return "date"
        case nw.Datetime():
            return "datetime"
        case nw.Time():
            return "time"
        case nw.Unknown():
            return "unknown"
    return "other"


@dataclass(frozen=True)
class Value:
    """One column as a rule sees it; null, and NaN in floats, count as missing (as in GX)."""

    name: str
    expr: nw.Expr
    dtype: DType
    dialect: Dialect = POLARS
    #: statistics of the column from the table's metadata
    statistics: ColumnStatistics = NO_STATISTICS

    @property
    def is_missing(self) -> nw.Expr:
        return self.expr.is_null()

    @property
    def family(self) -> Family:
        return family(self.dtype)

    @property
    def ordered(self) -> nw.Expr:
        """The value in a type with an order; false is 0 and true is 1, as in Python.

        Raises RuleError for lists, structs and the like.
        """
        if self.family == "other":
            raise RuleError(f"column '{self.name}' is {self.dtype}: its values have no order")
        return self.expr.cast(nw.Int8) if self.family == "boolean" else self.expr

    @property
    def number(self) -> nw.Expr:
        """The value as a number whose sums and means neither overflow nor round; raises RuleError for other types."""
        match self.family:
            case "number" if isinstance(self.dtype, nw.Decimal | nw.Float64 | nw.Int64 | nw.UInt64 | nw.Int128):
                return self.expr
            case "number":
                return self.expr.cast(nw.Float64 if self.dtype.is_float() else nw.Int64)
            case "boolean":
                return self.expr.cast(nw.Int64)
            case "unknown":
                return self.expr.cast(nw.Float64)
        raise RuleError(f"column '{self.name}' is {self.dtype}: wanted numbers")

    @property
    def text(self) -> nw.Expr:
        """The value as text in the format of Python's `str`, which GX matches and measures.

        Raises RuleError for types without a fixed text format (datetimes, lists, …), and Unsupported if
        the engine's text differs from Python's.
        """
        self.dialect.writes(self.dtype)
        if isinstance(self.dtype, nw.String | nw.Unknown):
            return self.expr if isinstance(self.dtype, nw.String) else self.expr.cast(nw.String)
        match self.family:
            case "number" | "text" | "date":
                return self.expr.cast(nw.String)
            case "boolean":
                return nw.when(self.expr).then(nw.lit("True")).when(~self.expr).then(nw.lit("False"))
        raise RuleError(
            f"column '{self.name}' is {self.dtype}: wanted text (give it the type string, or derive a column)"
        )

    def literal(self, wanted: Any) -> Any:
        """`wanted` in the column's type, so that `"2024-01-01"` can bound a date column.

        Raises RuleError if it cannot be converted.
        """
        try:
            if isinstance(wanted, dict):
                wanted = moment(wanted, zoned=_zone(self.dtype) is not None)
            found = _literal(wanted, self.dtype, self.family)
        except (ValueError, ArithmeticError) as error:
            raise RuleError(f"column '{self.name}' is {self.dtype}: {wanted!r} is not one ({error})") from None
        if isinstance(found, float) and isinstance(self.dtype, nw.Float32):
            return c_float(found).value  # as Polars rounds a number that is compared with one of 4 bytes
        if found is None:
            hint = " (give the column a type under silver.columns, or quote the value)" if self.family == "text" else ""
            raise RuleError(f"column '{self.name}' is {self.dtype}: cannot be compared with {wanted!r}{hint}")
        self.dialect.says(found)
        return found

    def bound(self, wanted: Any) -> Any:
        """`literal` in a form that expressions can be compared with."""
        found = self.literal(wanted)
        if self.dialect is not POLARS or not isinstance(found, Decimal):
            return found
        if isinstance(self.dtype, nw.Decimal) and abs(found) >= 10 ** (_MOST_DIGITS - self.dtype.scale):
            return math.copysign(
                math.inf, found
            )  # beyond every value of the column, and beyond what Polars can compare
        digits = _digits_behind(found)
        # For a Python Decimal, Polars imports numpy, which takes 0.05 s.
        return float(found) if digits is None else nw.lit(f"{found:f}").cast(nw.Decimal(_MOST_DIGITS, digits))

    def can_equal(self, wanted: Any) -> bool:
        """Whether `wanted` can be converted to the column's type, so that a value may equal it."""
        try:
            return self.family == "other" or self.literal(wanted) is not None
        except RuleError:
            return False

    def literals(self, wanted: Iterable[Any]) -> list[Any]:
        """Those of `wanted` that a value of this column can equal, in the column's type.

        As in pandas' `isin`, a text never equals a number: it is left out without an error.
        """
        found = []
        for item in wanted:
            try:
                # Values of a set are not rounded: neither Polars nor pandas finds 0.1 among floats of 4 bytes.
                wide = replace(self, dtype=nw.Float64()) if isinstance(self.dtype, nw.Float32) else self
                literal = wide.literal(item) if item is not None else None
            except RuleError:
                continue
            exact = not (isinstance(literal, float) and (self.dtype.is_integer() or self.family == "boolean"))
            if literal is not None and exact and (self.family == "date") == _is_date(literal):
                found.append(literal)
        return found

    def equals(self, constant: Any, *, wanted: bool = True) -> nw.Expr:
        """Boolean, never null, for a column of mixed types: the value equals `constant`, or with `wanted=False` differs."""
        fields: dict[str, Any] = {"type": type(constant).__name__, "text": str(constant)}
        if isinstance(constant, int | float | Decimal):
            fields = {"number": float(constant)}
        same = [self.expr.struct.field(name) == nw.lit(part) for name, part in fields.items()]
        found = nw.all_horizontal(*same, ignore_nulls=False).fill_null(False)
        return found if wanted else ~found

    def is_one_of(self, wanted: Collection[Any]) -> nw.Expr:
        """Boolean, null for a missing value: it equals one of `wanted`."""
        if self.dtype == MIXED and (found := [self.equals(item) for item in wanted if item is not None]):
            return nw.when(~self.is_missing).then(nw.any_horizontal(*found, ignore_nulls=False))
        literals = self.literals(wanted)
        return self.ordered.is_in(literals) if literals else nw.when(~self.is_missing).then(nw.lit(False))

    def same_family(self, other: Value) -> None:
        """Raise RuleError if the values of the two columns cannot be compared."""
        pair = {self.family, other.family}
        comparable = len(pair) == 1 or "unknown" in pair or pair in ({"date", "datetime"}, {"number", "boolean"})
        if not comparable or "other" in pair:
            raise RuleError(
                f"columns '{self.name}' ({self.dtype}) and '{other.name}' ({other.dtype}) cannot be compared: "
                "give them one type"
            )
        if self.family == other.family == "datetime" and (_zone(self.dtype) is None) != (_zone(other.dtype) is None):
            raise RuleError(f"columns '{self.name}' and '{other.name}' cannot be compared: one has a time zone")


def _literal(wanted: Any, dtype: DType, kind: Family) -> Any:
    """`wanted` in the given type; None if it cannot be converted; raises ValueError for a wrong format."""
    match kind:
        case "number" if isinstance(wanted, int | float | Decimal):
            return _as_number(wanted, dtype)
        case "boolean" if isinstance(wanted, int | float | Decimal):
            return int(wanted) if wanted in (0, 1) else float(wanted)
        case "text" if isinstance(wanted, str):
            return wanted
        case "date" if isinstance(wanted, str | date):
            return _as_date(wanted)
        case "datetime" if isinstance(wanted, str | date):
            return _as_datetime(wanted, _zone(dtype))
        case "time" if isinstance(wanted, str | time):
            return time.fromisoformat(wanted) if isinstance(wanted, str) else wanted
        case "unknown":
            return wanted
    return None


def _digits_behind(number: Decimal) -> int | None:
    """Digits after the point; None for a number that no decimal column can hold."""
    _, digits, exponent = number.as_tuple()
    behind = max(0, -int(exponent))
    return behind if max(len(digits), behind) + max(0, int(exponent)) <= _MOST_DIGITS else None


def _as_number(wanted: float | Decimal, dtype: DType) -> float | Decimal:
    if not math.isfinite(wanted):
        return float(wanted)
    if isinstance(dtype, nw.Decimal):
        return Decimal(str(wanted))
    if dtype.is_integer() and int(wanted) == wanted:
        # GX writes 3 as 3.0; an integer compares exactly, a float only up to 2**53.
        whole = int(wanted)
        return whole if abs(whole) <= _LARGEST_INTEGER else float(whole)
    return float(wanted)


def _as_date(wanted: str | date) -> date:
    moment = datetime.fromisoformat(wanted) if isinstance(wanted, str) else wanted
    # A bound at noon excludes its own day, so only midnight may be truncated to a date.
    return moment.date() if isinstance(moment, datetime) and moment.time() == time() else moment


def _as_datetime(wanted: str | date, zone: str | None) -> datetime | None:
    moment = datetime.fromisoformat(wanted) if isinstance(wanted, str) else wanted
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    if zone is None:
        return None if moment.tzinfo else moment
    from zoneinfo import ZoneInfo

    return moment.astimezone(ZoneInfo(zone)) if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


def _zone(dtype: DType) -> str | None:
    return dtype.time_zone if isinstance(dtype, nw.Datetime) else None


def _is_date(value: Any) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)
