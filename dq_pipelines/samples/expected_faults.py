"""Defines the expected content of a sample: its rows and faults, as counted by the generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: What happens to a faulty row: refused to quarantine, published with a warning, or discarded and counted.
Fate = Literal["quarantined", "published", "dropped"]


@dataclass(frozen=True)
class Fault:
    """One kind of fault in one table. Every faulty row has exactly one fault."""

    #: the table's name, that of its YAML file
    table: str
    kind: str
    #: the rule's type; or `cast`, `unreadable`, `deduplicate`, `filter` for faults found without a rule
    found_by: str
    #: the silver column; "" for a rule on several columns, or none
    column: str
    fate: Fate
    #: rows that are detected: a rule's unexpected_count, so both rows of a repeated key count
    count: int


@dataclass(frozen=True)
class ExpectedRun:
    """Statistics of a detector run's readable values."""

    run_id: str
    #: readings that silver publishes
    readings: int
    mean: float
    #: sample standard deviation (n - 1)
    stdev: float
    #: readings more than three `stdev` from `mean`
    outliers: int
    verdict: Literal["GOOD", "BAD"]


@dataclass(frozen=True)
class ExpectedFaults:
    """The expected rows and faults of one generated domain."""

    domain: str
    #: table name -> rows or lines in the landing folder, without header lines
    landed: Mapping[str, int]
    faults: tuple[Fault, ...]
    runs: tuple[ExpectedRun, ...] = ()
    #: files that were missing or different before, relative to the landing folder
    written: tuple[str, ...] = field(default=(), compare=False)

    def count(self, table: str, fate: Fate) -> int:
        """The number of rows of `table` with this fate because of a fault."""
        return sum(fault.count for fault in self.faults if (fault.table, fault.fate) == (table, fate))

    def published(self, table: str) -> int:
        """The number of rows of `table` in silver after ingesting everything once."""
        return self.landed[table] - self.count(table, "quarantined") - self.count(table, "dropped")
