"""What a sample contains and what is wrong with it, counted where it was made. No files, no randomness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: Where a faulty row ends: refused into quarantine, kept in silver with a warning, or discarded and counted.
Fate = Literal["quarantined", "published", "dropped"]


@dataclass(frozen=True)
class Fault:
    """One kind of fault in one table. Every faulty row has exactly one fault."""

    #: the table's name, as its YAML file is called
    table: str
    kind: str
    #: the rule's type; or `cast`, `unreadable`, `deduplicate`, `filter` for what is found without a rule
    found_by: str
    #: the silver column; "" when a rule reads several columns, or none
    column: str
    fate: Fate
    #: rows that are found: a rule's unexpected_count, so both rows of a repeated key count
    count: int


@dataclass(frozen=True)
class ExpectedRun:
    """What a detector run's readable values amount to."""

    run_id: str
    #: readings that silver publishes
    readings: int
    mean: float
    #: of the sample (n - 1)
    stdev: float
    #: readings more than three `stdev` from `mean`
    outliers: int
    verdict: Literal["GOOD", "BAD"]


@dataclass(frozen=True)
class ExpectedFaults:
    """The answer sheet of one generated domain."""

    domain: str
    #: table name -> rows or lines that lie in the landing folder, header lines not counted
    landed: Mapping[str, int]
    faults: tuple[Fault, ...]
    runs: tuple[ExpectedRun, ...] = ()
    #: files of the landing folder that were missing or different before, relative to it
    written: tuple[str, ...] = field(default=(), compare=False)

    def count(self, table: str, fate: Fate) -> int:
        """How many rows of `table` meet `fate` because of a fault."""
        return sum(fault.count for fault in self.faults if (fault.table, fault.fate) == (table, fate))

    def published(self, table: str) -> int:
        """How many rows of `table` silver must hold after everything was ingested once."""
        return self.landed[table] - self.count(table, "quarantined") - self.count(table, "dropped")
