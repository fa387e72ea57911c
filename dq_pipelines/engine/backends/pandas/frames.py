"""pandas frames as Polars takes them: columns of objects may hold anything, of several types at once.

A column whose values are of several types becomes a struct of each value's type, text and number. So rules see
which values are missing and which are equal, and rules on numbers or text say that it has neither. What pandas itself
says of the types of values is in `types`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    import pandas as pd

#: `dq_pipelines.rules.core.columns.MIXED`, as Polars calls it.
MIXED = pl.Struct({"type": pl.String, "text": pl.String, "number": pl.Float64})


def from_pandas(frame: pd.DataFrame) -> pl.DataFrame:
    """The frame's columns, by their names as text; the index is left out."""
    names = [str(name) for name in frame.columns]
    columns = [_column(name, frame.iloc[:, place]) for place, name in enumerate(names)]
    return pl.DataFrame(columns) if columns else pl.DataFrame(height=len(frame))


def _column(name: str, column: pd.Series[Any]) -> pl.Series:
    if column.dtype != object:
        return pl.from_pandas(column).alias(name)
    values = [None if is_missing(value) else value for value in column]
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) > 1 and bool not in kinds and all(issubclass(kind, Real | Decimal) for kind in kinds):
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    if len(kinds) <= 1:
        try:
            return pl.Series(name, values)
        except (TypeError, OverflowError, pl.exceptions.PolarsError):
            return _mixed(name, values)
    return _mixed(name, values)


def _mixed(name: str, values: Sequence[Any]) -> pl.Series:
    return pl.Series(name, [None if value is None else _part(value) for value in values], dtype=MIXED)


def _part(value: Any) -> dict[str, Any]:
    try:
        number = float(value) if isinstance(value, Real | Decimal) else None
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    return {"type": type(value).__name__, "text": str(value), "number": number}


def is_missing(value: Any) -> bool:
    """Whether pandas takes one object for missing."""
    import pandas as pd

    return value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def python_of(value: Any) -> Any:
    """A value of numpy's as Python's own."""
    return value.item() if hasattr(value, "item") else value
