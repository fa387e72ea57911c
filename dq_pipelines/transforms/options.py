"""What a column's YAML asks of its cast: a format, and changes that are wanted. How they are done belongs in `casting`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: To the nearest, halves to the even digit; to the nearest, halves away from zero; toward zero.
Rounding = Literal["half_even", "half_up", "down"]
#: What a number counts since 1970-01-01 00:00 UTC.
Unit = Literal["s", "ms", "us", "ns"]
#: Where a workbook's day numbers begin: 1900-01-01 is 1, or 1904-01-01 is 0.
Origin = Literal["excel", "excel_1904"]


@dataclass(frozen=True)
class CastOptions:
    """What a cast may do beside keeping each value as it is."""

    #: strftime pattern of dates and times
    format: str | None = None
    #: how a number is rounded that the type cannot hold exactly
    round: Rounding | None = None
    #: what numbers of moments count
    unit: Unit | None = None
    #: that numbers are days of a workbook
    origin: Origin | None = None
    #: whether blanks around a text go
    trim: bool = False


#: Nothing is asked for: a value is published as it is, or refused.
EXACT = CastOptions()
