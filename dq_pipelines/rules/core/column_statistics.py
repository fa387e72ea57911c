"""What a table's own metadata tell of a column, before any row is read. Where they lie belongs to the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ColumnStatistics:
    """What is known of one column; None for what is not."""

    #: how many values are null, exactly; not known of floats, whose NaN are missing too and counted by nobody
    missing: int | None = None
    #: no value is less, and none is greater; each need not be a value that is there
    least: Any = None
    greatest: Any = None

    def __add__(self, other: ColumnStatistics) -> ColumnStatistics:
        """What is known of the two parts of a table together."""
        missing = None if self.missing is None or other.missing is None else self.missing + other.missing
        least = None if self.least is None or other.least is None else min(self.least, other.least)
        greatest = None if self.greatest is None or other.greatest is None else max(self.greatest, other.greatest)
        return ColumnStatistics(missing, least, greatest)


#: Nothing is known.
NO_STATISTICS = ColumnStatistics()
