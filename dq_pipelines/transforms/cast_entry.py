"""Defines an entry of the table of casts: what a cast publishes and refuses, its options, and examples."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from dq_pipelines.transforms.options import EXACT, CastOptions

#: The result of an example that is not published.
REFUSED = "refused"


@dataclass(frozen=True)
class Example:
    """The cast of one value."""

    landed: Any
    #: the target type as in YAML
    wanted: str
    #: the published value, or REFUSED
    published: Any
    options: CastOptions = EXACT
    #: the landed type, if it is not that of its kind
    dtype: pl.DataType | None = None


@dataclass(frozen=True)
class CastEntry:
    """The cast of values of one kind to one type."""

    publishes: str
    refuses: str = ""
    #: options of the column that allow a change of the value, and their effect
    asked: str = ""
    examples: tuple[Example, ...] = ()


# Values for examples.
EXCEL, SECONDS = CastOptions(origin="excel"), CastOptions(unit="s")
DAY, TEN = date(2024, 1, 2), datetime(2024, 1, 2, 10)  # noqa: DTZ001
MIDNIGHT, UTC_TEN = datetime(2024, 1, 2), datetime(2024, 1, 2, 10, tzinfo=UTC)  # noqa: DTZ001
UTC_MIDNIGHT = datetime(2024, 1, 2, tzinfo=UTC)

# Descriptions of options.
ROUND = "`round: half_even`, `half_up` or `down`: the nearest number that the type holds"
NUMBER_OF = "`unit: s`, `ms`, `us` or `ns`: a count since 1970-01-01 UTC; `origin: excel` or `excel_1904`: a workbook's day number"
ISO = "ISO 8601"
