"""Defines the statistics of a column that a table's metadata give without reading rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ColumnStatistics:
    """The known statistics of one column; None for unknown ones."""

    #: exact number of nulls; unknown for floats, since NaN is missing too and not counted in metadata
    missing: int | None = None
    #: lower and upper bounds of the values; neither need occur as a value
    least: Any = None
    greatest: Any = None

    def __add__(self, other: ColumnStatistics) -> ColumnStatistics:
        """The statistics of two parts of a table together."""
        missing = None if self.missing is None or other.missing is None else self.missing + other.missing
        least = None if self.least is None or other.least is None else min(self.least, other.least)
        greatest = None if self.greatest is None or other.greatest is None else max(self.greatest, other.greatest)
        return ColumnStatistics(missing, least, greatest)


#: All statistics are unknown.
NO_STATISTICS = ColumnStatistics()
