"""What must become of landed rows, worked out from the rows alone: the model that `test_stateful` holds the lake against.

It knows files, rows and the rule, and how many commits a run made before it was stopped; no batch and no table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import Enum
from io import BytesIO

import polars as pl

#: A column of no declared type may come in any of these, or not at all, by what `schema` says.
EXTRAS: Mapping[str, tuple[pl.DataType | None, ...]] = {
    "add_columns": (pl.Int32(), None),
    "widen": (pl.Int32(), None, pl.Int64()),
    "evolve": (pl.Int32(), None, pl.Int64(), pl.Float64(), pl.String()),
}


class Place(Enum):
    """Where a row is; it is never in two of them."""

    ARRIVING = "in a file that no run has read"
    WAITING = "in bronze, not judged"
    PUBLISHED = "in silver"
    OPEN = "in quarantine, open"
    DISMISSED = "in quarantine, given up"
    REPLACED = "a later row with its key was published"
    GONE = "a later version of its file counts"


class Stopped(Exception):
    """A run has made all the commits that it was given."""


@dataclass
class Commits:
    """How many commits a run makes before it is stopped."""

    left: int = 1_000
    #: whether it was stopped indeed, maybe after all that it had to commit
    stopped: bool = False

    def made(self) -> None:
        """Count one; raises Stopped where the run does not come to it."""
        if not self.left:
            raise Stopped
        self.left -= 1


@dataclass(eq=False)
class Row:
    """One line of one version of a file."""

    #: unlike that of any other row
    tag: str
    file: str
    key: int
    #: as text, since it may be no number; None where the file has no such column
    amount: str | None
    #: the value of the column without a declared type
    extra: int | float | str | None = None
    place: Place = Place.ARRIVING
    #: landing, file of it and line
    came: tuple[int, int, int] = (0, 0, 0)
    #: what a person gave it for an amount
    mended: str | None = None
    #: the amount that quarantine says it was refused for
    refused_for: str | None = ""

    #: its extra cell as quarantine says it: what was mended since shows when all is judged anew
    shown: int | float | str | None = None

    @property
    def text(self) -> str | None:
        return self.amount if self.mended is None else self.mended


@dataclass
class Model:
    """One table: its files in their latest version, every row that has landed, and the least amount that is good."""

    merges: bool
    #: what `schema` says
    policy: str = "evolve"
    least: int = 0
    files: dict[str, list[Row]] = field(default_factory=dict)
    landed: list[Row] = field(default_factory=list)
    #: what history must remember: rows in, published, refused
    told: list[tuple[int, int, int]] = field(default_factory=list)
    #: a rerun has written quarantine anew and not silver: whoever works on the rows next does it again first
    is_torn: bool = False
    #: by file, the order in which they were written last, and when they landed first
    written: dict[str, int] = field(default_factory=dict)
    first: dict[str, tuple[int, int]] = field(default_factory=dict)
    _landings: int = 0
    _tags: int = 0

    # --- what people do ---------------------------------------------------------------------------

    def write(self, name: str, cells: Iterable[tuple[int, str]], shape: int = 0, *, amounts: bool = True) -> bytes:
        """A file, new or in another version; its content. `shape` chooses the type of its extra column, or none."""
        kinds, rows = EXTRAS[self.policy], []
        kind = kinds[shape % len(kinds)]
        for key, amount in cells:
            self._tags += 1
            rows.append(Row(f"t{self._tags}", name, key, amount if amounts else None, _extra(kind, self._tags)))
        self.files[name] = rows
        self.written[name] = 1 + max(self.written.values(), default=0)
        frame = _frame(rows, [row.amount for row in rows])
        frame = frame.with_columns(pl.Series("extra", [row.extra for row in rows], kind)) if kind else frame
        return _content(frame if amounts else frame.drop("amount"))

    def at(self, *places: Place) -> list[Row]:
        """The landed rows that are there, oldest first."""
        return [row for row in self.landed if row.place in places]

    def is_superseded(self, row: Row) -> bool:
        """Whether a later version of its file has landed."""
        return any(other.file == row.file and other.came[0] > row.came[0] for other in self.landed)

    # --- what runs do -----------------------------------------------------------------------------

    def land(self, commits: Commits) -> None:
        """Read what is new; what waits of an earlier version counts no more."""
        by_time = sorted(self.files.items(), key=lambda item: self.written[item[0]])
        new = {name: rows for name, rows in by_time if rows[0].place is Place.ARRIVING}
        if not new:
            return
        commits.made()
        self._landings += 1
        for row in self.at(Place.WAITING):
            if row.file in new:
                row.place = Place.GONE
        for place, (name, rows) in enumerate(new.items()):
            self.first.setdefault(name, (self._landings, place))
            for number, row in enumerate(rows):
                row.place, row.came = Place.WAITING, (self._landings, place, number)
                self.landed.append(row)

    def refine(self, commits: Commits) -> None:
        """Land, and judge what waits: the commits are bronze's, quarantine's and silver's."""
        if self.is_torn:
            self.rerun(commits)
            return
        self.land(commits)
        waiting = self.at(Place.WAITING)
        if waiting:
            commits.made()
            commits.made()
            self._judge(waiting)

    def rerun(self, commits: Commits) -> None:
        """Land, and judge all rows of each file's latest version anew."""
        self.land(commits)
        self._rerun(commits)

    def _rerun(self, commits: Commits) -> None:
        if not self.landed:
            return
        commits.made()
        self.is_torn = True
        commits.made()
        self.is_torn = False
        latest = {row.file: row.came[0] for row in self.landed}
        for row in self.landed:
            if row.came[0] != latest[row.file]:
                row.place = Place.GONE
            elif row.place is not Place.DISMISSED:
                row.place = Place.WAITING
        self._judge(self.at(Place.WAITING, Place.DISMISSED))

    def _judge(self, rows: Sequence[Row]) -> None:
        passing = [row for row in rows if self._is_good(row.text) and row.place is not Place.DISMISSED]
        for row in rows:
            if row not in passing:
                row.place = Place.DISMISSED if row.place is Place.DISMISSED else Place.OPEN
                row.refused_for, row.shown = row.text, row.extra
        self.told.append((len(rows), self._publish(passing), len(rows) - len(passing)))

    def _is_good(self, amount: str | None) -> bool:
        # Rules on values pass over a null.
        return amount is None or (amount != "x" and int(amount) >= self.least)

    def _publish(self, rows: Sequence[Row]) -> int:
        """Publish rows; how many of them no row replaces."""
        for row in rows:
            row.place = Place.PUBLISHED
            alike = [other for other in self.at(Place.PUBLISHED) if other.key == row.key] if self.merges else []
            for other in sorted(alike, key=self.weight)[:-1]:
                other.place = Place.REPLACED
        return sum(row.place is Place.PUBLISHED for row in rows)

    # --- what becomes of refused rows -------------------------------------------------------------

    def replay(self, rows: Sequence[Row] | None, edits: Mapping[str, str], commits: Commits) -> None:
        """Judge open rows anew, all where None, with what was mended by tag: the commits are quarantine's and silver's."""
        if self.is_torn:
            self._rerun(commits)
        rows = [row for row in (self.at(Place.OPEN) if rows is None else rows) if not self.is_superseded(row)]
        texts = {row.tag: edits.get(row.tag, row.text) for row in rows}
        good = [row for row in rows if self._is_good(texts[row.tag])]
        passing = [row for row in good if not self._is_overtaken(row, good)]
        failing = [row for row in rows if row not in good]
        # Quarantine is told of other reasons, but not of what was mended and is still no good.
        told = [row for row in failing if row.tag not in edits and row.refused_for != row.text]
        if good or told:
            commits.made()
            for row in told:
                row.refused_for = row.text
            for row in good:
                if row in passing and row.tag in edits:
                    row.mended, row.extra = edits[row.tag], MENDED
        if passing:
            commits.made()
        if good:
            for row in good:
                row.place = row.place if row in passing else Place.DISMISSED
        if rows and (passing or not commits.stopped):
            self.told.append((len(rows), self._publish(passing), len(failing)))

    def _is_overtaken(self, row: Row, others: Sequence[Row]) -> bool:
        """Whether a later row of its key is published, or will be together with it."""
        later = [*self.at(Place.PUBLISHED), *others] if self.merges else []
        return any(other.key == row.key and self.weight(other) > self.weight(row) for other in later)

    def weight(self, row: Row) -> tuple[int, ...]:
        """What is greater replaces what is less: a file counts from when it landed first."""
        return (*self.first[row.file], *row.came)

    def give(self, rows: Sequence[Row], place: Place, commits: Commits) -> None:
        """Dismiss rows, or open them again; not those of which a later version has landed."""
        rows = [row for row in rows if not self.is_superseded(row)]
        if rows:
            commits.made()
        for row in rows:
            row.place = place


#: What a person who mends a row writes into its extra column.
MENDED = 12


def as_mended(rows: Sequence[Row]) -> bytes:
    """Rows as the file that they would have been, had nobody had to mend them; the extra column is text."""
    extras = [None if row.extra is None else str(row.extra) for row in rows]
    frame = _frame(rows, [row.text for row in rows])
    return _content(frame.with_columns(pl.Series("extra", extras, pl.String)) if any(extras) else frame)


def worth(value: object) -> object:
    """What a value of the extra column is, in whichever type or text it stands: 7, 7.0 and "7" are one."""
    try:
        return None if value is None else Decimal(str(value)).normalize()
    except InvalidOperation:
        return value


def _extra(kind: pl.DataType | None, number: int) -> int | float | str | None:
    # More digits than a float has: it must never have been one.
    values: Mapping[pl.DataType, int | float | str] = {
        pl.Int32(): number,
        pl.Int64(): 2**53 + 2 * number + 1,
        pl.Float64(): number + 0.5,
        pl.String(): f"e{number}",
    }
    return values[kind] if kind else None


def _frame(rows: Sequence[Row], amounts: Sequence[str | None]) -> pl.DataFrame:
    columns = {"id": [row.key for row in rows], "amount": amounts, "tag": [row.tag for row in rows]}
    return pl.DataFrame(columns, schema={"id": pl.Int64, "amount": pl.String, "tag": pl.String})


def _content(frame: pl.DataFrame) -> bytes:
    file = BytesIO()
    frame.write_parquet(file)
    return file.getvalue()
