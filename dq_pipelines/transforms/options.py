"""Defines the options of a column's cast: the format, and the allowed changes of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: To the nearest, halves to the even digit; to the nearest, halves away from zero; toward zero.
Rounding = Literal["half_even", "half_up", "down"]
#: The unit of a number that counts from 1970-01-01 00:00 UTC.
Unit = Literal["s", "ms", "us", "ns"]
#: The first day of a workbook's day numbers: 1900-01-01 is 1, or 1904-01-01 is 0.
Origin = Literal["excel", "excel_1904"]


@dataclass(frozen=True)
class CastOptions:
    """The changes of values that a cast may make."""

    #: strftime pattern of dates and times
    format: str | None = None
    #: how to round a number that the type cannot hold exactly
    round: Rounding | None = None
    #: the unit of numbers for moments
    unit: Unit | None = None
    #: how a workbook counts days, for numbers for moments
    origin: Origin | None = None
    #: whether to remove blanks around a text
    trim: bool = False


#: Without options: a value is published unchanged, or refused.
EXACT = CastOptions()
