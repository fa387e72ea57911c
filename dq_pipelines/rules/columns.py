"""The data as a rule sees it: columns by name, NaN missing, literals in the column's own type.

Where engines or Great Expectations part ways on nulls and types, the decision is taken here once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import narwhals as nw
from narwhals.dtypes import DType

from dq_pipelines.errors import RuleError, nearest
from dq_pipelines.rules.asides import Aside


@dataclass(frozen=True)
class Value:
    """One column as a rule sees it: missing where it is null, and where a float is NaN (as GX does)."""

    name: str
    expr: nw.Expr
    dtype: DType

    @property
    def is_missing(self) -> nw.Expr:
        return self.expr.is_null()

    def literal(self, wanted: Any) -> Any:
        """`wanted` in the column's own type, so that `"2024-01-01"` can bound a date column.

        Raises RuleError when it cannot be written in that type.
        """
        try:
            if isinstance(self.dtype, nw.Date):
                return _as_date(wanted)
            if isinstance(self.dtype, nw.Datetime):
                return _as_datetime(wanted, self.dtype)
            if isinstance(self.dtype, nw.Time) and isinstance(wanted, str):
                return time.fromisoformat(wanted)
            if isinstance(self.dtype, nw.Decimal) and isinstance(wanted, float | str):
                return Decimal(str(wanted))
        except (ValueError, ArithmeticError) as error:
            raise RuleError(f"column '{self.name}' is {self.dtype}: {wanted!r} is not one ({error})") from None
        if self.dtype.is_numeric() and isinstance(wanted, str | date | time):
            raise RuleError(f"column '{self.name}' is {self.dtype}: wanted a number to compare with, got {wanted!r}")
        if isinstance(self.dtype, nw.String) and not isinstance(wanted, str):
            raise RuleError(
                f"column '{self.name}' is text: wanted text to compare with, got {wanted!r} "
                f"(give the column a type under silver.columns, or quote the value)"
            )
        return wanted


@dataclass(frozen=True)
class Columns:
    """The schema of the judged data, and expressions over it."""

    schema: Mapping[str, DType]
    #: boolean columns that the engine has prepared beside the scan, by the aside that asked for them
    asides: Mapping[Aside, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Value:
        """The column called `name`; raises RuleError when there is none."""
        if name not in self.schema:
            raise RuleError(f"no column '{name}'{nearest(name, self.schema)}; there are: {', '.join(self.schema)}")
        dtype = self.schema[name]
        expr = nw.col(name)
        return Value(name, expr.fill_nan(None) if dtype.is_float() else expr, dtype)

    def aside(self, aside: Aside) -> nw.Expr:
        """What the engine found out beside the scan, row by row."""
        return nw.col(self.asides[aside])


def _as_date(wanted: Any) -> Any:
    if isinstance(wanted, str):
        return datetime.fromisoformat(wanted).date()
    return wanted.date() if isinstance(wanted, datetime) else wanted


def _as_datetime(wanted: Any, dtype: nw.Datetime) -> Any:
    if isinstance(wanted, str):
        wanted = datetime.fromisoformat(wanted)
    elif isinstance(wanted, date) and not isinstance(wanted, datetime):
        wanted = datetime.combine(wanted, time())
    if dtype.time_zone and isinstance(wanted, datetime) and wanted.tzinfo is None:
        from zoneinfo import ZoneInfo

        return wanted.replace(tzinfo=ZoneInfo(dtype.time_zone))
    return wanted
