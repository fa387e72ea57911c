"""What must be published of a table over its life, worked out from its rows and the order in which they came.

It knows no batch, no commit and no lake. `test_life` holds the lake against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum


class Fate(Enum):
    """What became of a row when it was judged last."""

    ARRIVING = "in a file that no run has read"
    KEPT = "good: published unless a row counts more that has its key"
    OPEN = "refused"
    DISMISSED = "refused, and given up"


@dataclass(eq=False)
class Row:
    """One landed row."""

    tag: str
    key: int
    #: the key of the row that it refers to
    boss: int | None
    #: as it landed, or as a person has mended it
    amount: int
    landed_as: int
    #: what `merge.order_by` compares
    at: int
    #: the day of its file, which is its partition where the table has any
    day: str
    #: its place among all rows that runs have read
    came: int = -1
    fate: Fate = Fate.ARRIVING


@dataclass
class Life:
    """The rows of a table, and what its YAML says."""

    merges: bool = False
    #: whether the greatest `at` counts, and not the row that came last
    by_order: bool = False
    #: whether `boss` must be the key of a published row
    refers: bool = False
    #: whether each day is judged by itself
    partitioned: bool = False
    #: the least amount that is good
    least: int = 0
    rows: list[Row] = field(default_factory=list)

    def land(self, day: str, cells: Iterable[tuple[int, int | None, int, int]]) -> list[Row]:
        """A file of a day: key, boss, amount and `at` of its rows."""
        fresh: list[Row] = []
        for key, boss, amount, at in cells:
            fresh.append(Row(f"t{len(self.rows) + len(fresh)}", key, boss, amount, amount, at, day))
        self.rows += fresh
        return fresh

    def of(self, fate: Fate, day: str | None = None) -> list[Row]:
        """The rows of this fate, of the partition of a day or of all."""
        return [row for row in self.rows if row.fate is fate and (day is None or self._is_in(row, day))]

    def _is_in(self, row: Row, day: str) -> bool:
        return not self.partitioned or row.day == day

    def rename(self) -> None:
        """Under another name, the table has nothing, and its files land once more."""
        for row in self.rows:
            row.amount, row.came, row.fate = row.landed_as, -1, Fate.ARRIVING

    def run(self, day: str) -> None:
        """Read and judge what is new."""
        self._judge(self._read(day))

    def rerun(self, day: str) -> None:
        """Read what is new, and judge all rows of a day anew, but for those that were given up."""
        self._read(day)
        self._judge(
            [row for row in self.rows if self._is_in(row, day) and row.fate not in (Fate.ARRIVING, Fate.DISMISSED)]
        )

    def replay(self, day: str, chosen: Sequence[Row] | None = None) -> None:
        """Judge open rows of a day again; a good one that a row overtakes which counts more is given up."""
        rows = [row for row in self.of(Fate.OPEN, day) if chosen is None or row in chosen]
        self._judge(rows)
        for row in [row for row in rows if row.fate is Fate.KEPT and self._is_overtaken(row)]:
            row.fate = Fate.DISMISSED

    @property
    def published(self) -> list[Row]:
        """The rows that are published: each that was kept, or of each key the one that counts most."""
        kept = self.of(Fate.KEPT)
        return list({row.key: row for row in sorted(kept, key=self._weight)}.values()) if self.merges else kept

    def _read(self, day: str) -> list[Row]:
        new = self.of(Fate.ARRIVING, day)
        for row in new:
            row.came, row.fate = 1 + max(other.came for other in self.rows), Fate.OPEN
        return new

    def _judge(self, rows: Sequence[Row]) -> None:
        others = {row.key for row in self.of(Fate.KEPT) if row not in rows}
        kept = [row for row in rows if self._is_good(row)]
        while self.refers:
            keys = others | {row.key for row in kept}
            with_parents = [row for row in kept if row.boss is None or row.boss in keys]
            if len(with_parents) == len(kept):
                break
            kept = with_parents
        for row in rows:
            row.fate = Fate.KEPT if row in kept else Fate.OPEN

    def _is_good(self, row: Row) -> bool:
        return row.amount >= self.least

    def _is_overtaken(self, row: Row) -> bool:
        return self.merges and any(
            other.key == row.key and self._weight(other) > self._weight(row) for other in self.of(Fate.KEPT)
        )

    def _weight(self, row: Row) -> tuple[int, int]:
        return (row.at if self.by_order else 0, row.came)
