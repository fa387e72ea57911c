"""What becomes of values of one type in another: what is published, what is refused, what may be asked, with examples.

Which pairs there are is said in `cast_rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from dq_pipelines.transforms.options import EXACT, CastOptions

#: What an example gives that is not published.
REFUSED = "refused"


@dataclass(frozen=True)
class Example:
    """One value on its way."""

    landed: Any
    #: the type as YAML writes it
    wanted: str
    #: the value, or REFUSED
    published: Any
    options: CastOptions = EXACT
    #: the landed type, where it is not that of its kind
    dtype: pl.DataType | None = None


@dataclass(frozen=True)
class Pair:
    """What becomes of values of one kind in one type."""

    publishes: str
    refuses: str = ""
    #: options of the column that ask for a change, and what they do
    asked: str = ""
    examples: tuple[Example, ...] = ()


# What examples of several pairs have in common.
EXCEL, SECONDS = CastOptions(origin="excel"), CastOptions(unit="s")
DAY, TEN = date(2024, 1, 2), datetime(2024, 1, 2, 10)  # noqa: DTZ001
MIDNIGHT, UTC_TEN = datetime(2024, 1, 2), datetime(2024, 1, 2, 10, tzinfo=UTC)  # noqa: DTZ001
UTC_MIDNIGHT = datetime(2024, 1, 2, tzinfo=UTC)

# What several pairs may be asked.
ROUND = "`round: half_even`, `half_up` or `down`: the nearest number that the type holds"
NUMBER_OF = "`unit: s`, `ms`, `us` or `ns`: a count since 1970-01-01 UTC; `origin: excel` or `excel_1904`: a workbook's day number"
ISO = "ISO 8601"
