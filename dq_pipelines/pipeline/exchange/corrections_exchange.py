"""Mending: refused rows out to a person, and what they changed back in, judged before anything is written.

The file in between belongs in `workbook`, which of its cells were changed in `corrected_cells`, what is judged and published in
`replay`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from dq_pipelines.config.counting import counted
from dq_pipelines.errors import SourceError, nearest
from dq_pipelines.pipeline.exchange.corrected_cells import Changes, columns_told, layout_of
from dq_pipelines.pipeline.exchange.refusal_reasons import Expectations
from dq_pipelines.pipeline.exchange.workbook import Book, Mended, Refusal
from dq_pipelines.pipeline.exchange.workbook_files import read_book, write_book
from dq_pipelines.pipeline.quarantine.corrections import Cells
from dq_pipelines.pipeline.quarantine.quarantine_status import (
    ALL,
    Chosen,
    given_status,
    must_land,
    refused_of,
    tell_superseded,
)
from dq_pipelines.pipeline.quarantine.refused_rows import CORRECTION, DISMISSED, ID, OPEN, STATUS, STATUS_BY, SUPERSEDED
from dq_pipelines.pipeline.replay.replay import replayed
from dq_pipelines.pipeline.replay.replayed import Replayed
from dq_pipelines.pipeline.runtime.table_run import TableRun, alone
from dq_pipelines.project import Project
from dq_pipelines.sources import SOURCE

#: Rows that are put into words at a time.
_SLICE = 10_000
#: Of a row that waited when the file was read, and no longer when it was judged.
_OVERTAKEN = "waits no longer: it was published, dismissed or superseded meanwhile"


@dataclass(frozen=True)
class Imported:
    """What became of a file that came back."""

    table: str
    replayed: Replayed
    #: rows that were dismissed in it
    dismissed: int = 0
    #: rows that wait no longer, and of which the file wants nothing else: published, dismissed or superseded before
    settled: int = 0
    #: one sentence for each row that was changed and is not published
    problems: tuple[str, ...] = ()
    #: what is odd about the file as a whole: columns that are added or missing, rows that are gone
    notes: tuple[str, ...] = ()

    def sentence(self, *, dry_run: bool) -> str:
        """What became of the rows, or would."""
        would = "would be " if dry_run else ""
        settled = f", {self.settled:,} were settled before" if self.settled else ""
        counts = f"{len(self.replayed.published):,} {would}published, {self.dismissed:,} {would}dismissed"
        return f"{counts}, {len(self.problems):,} refused still{settled}"


def export(work: TableRun, path: Path, chosen: Chosen = ALL) -> int:
    """Write the open rows to a workbook or CSV; how many there are. Raises PublishError."""
    rows = _open_rows(work, chosen)
    write_book(path, layout_of(work, rows.columns), _in_words(rows, Expectations.of(work.table)), rows.height)
    tell_superseded(work, chosen)
    return rows.height


def _in_words(rows: pl.DataFrame, wanted: Expectations) -> Iterator[Refusal]:
    for some in rows.iter_slices(_SLICE):
        yield from map(wanted.refusal_of, some.iter_rows(named=True))


@dataclass(frozen=True)
class Returned:
    """A file that came back."""

    path: Path
    book: Book

    @classmethod
    def read(cls, path: Path) -> Returned:
        """Raises SourceError for a file that is none of ours."""
        return cls(path, read_book(path))

    def table_of(self, project: Project, named: str | None) -> str:
        """The table that it is of, as the file or the caller says; raises SourceError when neither does."""
        said = (self.book.table or "").rpartition("/")[2]
        if named is not None and said and named != said:
            raise SourceError(f"{self.path}: is of the table '{said}', wanted '{named}'")
        name = named or said
        if not name:
            raise SourceError(f"{self.path}: does not say which table it is of: name it with --table")
        if name not in project.tables:
            raise SourceError(
                f"{self.path}: is of the table '{name}'{nearest(name, project.tables)}, which the project does not have"
            )
        return name


def bring_back(work: TableRun, book: Returned, *, by: str, dry_run: bool = False) -> Imported:
    """Publish the rows that were mended in a file, as far as they pass, and dismiss those that were given up.

    Everything is judged before anything is written, and nobody else works on the table meanwhile. Raises SourceError where
    the file's columns are not the table's.
    """
    return alone(partial(_brought_back, returned=book, by=by, dry_run=dry_run))(work)


def _brought_back(work: TableRun, *, returned: Returned, by: str, dry_run: bool) -> Imported:
    must_land(work)
    wishes = _Wishes.of(work, returned)
    edits = wishes.edits
    done = (
        replayed(work, chosen=Chosen(ids=list(edits)), by=by, edits=edits, dry_run=dry_run) if edits else Replayed("")
    )
    problems = [*wishes.problems, *wishes.not_published(done)]
    given_up = list(wishes.given_up)
    if not dry_run and given_up:
        given_status(work, chosen=Chosen(ids=given_up), status=DISMISSED, by=by)
    sentences = tuple(f"row {at}: {said}" for at, said in sorted(problems))
    return Imported(work.table.key, done, len(given_up), wishes.settled, sentences, wishes.notes)


@dataclass
class _Wishes:
    """What a file wants to become of refused rows."""

    wanted: Expectations
    notes: tuple[str, ...] = ()
    #: cells by row id
    edits: dict[str, Cells] = field(default_factory=dict)
    #: ids of rows to dismiss
    given_up: list[str] = field(default_factory=list)
    #: rows of the file with a sentence each
    problems: list[tuple[int, str]] = field(default_factory=list)
    settled: int = 0
    #: by id, what has become of each row of the table by now
    statuses: dict[str, str] = field(default_factory=dict)
    #: by id, the row of the file
    places: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, work: TableRun, returned: Returned) -> _Wishes:
        book, wanted = returned.book, Expectations.of(work.table)
        rows = refused_of(work)
        layout = layout_of(work, rows.collect_schema().names())
        try:
            notes = (*book.notes, *columns_told(book, layout), *_gone(book.rows))
        except ValueError as error:
            raise SourceError(f"{returned.path}: {error}") from None
        changed = Chosen(ids=list({line.id for line in book.rows if line.cells and line.id is not None}))
        now = {row[ID]: row for row in changed.rows(rows).collect().iter_rows(named=True)}
        found, changes = cls(wanted, notes), Changes(work, book, layout, wanted)
        found.statuses = dict(rows.select(ID, STATUS).drop_nulls(ID).collect().iter_rows())
        by_id: dict[str, list[tuple[Mended, Cells]]] = {}
        faulty: dict[str, int] = {}
        for line in book.rows:
            try:
                name = _id(line)
                cells = found._changed(changes, line, now.get(name))
                by_id.setdefault(name, []).append((line, cells))
            except ValueError as error:
                found.problems.append((line.at, str(error)))
                faulty[line.id or ""] = line.at
        for name, same in by_id.items():
            if name in faulty:
                found.problems += [
                    (line.at, f"has the _id of row {faulty[name]}: none of them is taken") for line, _ in same
                ]
            else:
                found._take(name, same, now.get(name))
        return found

    def _changed(self, changes: Changes, line: Mended, now: Mapping[str, Any] | None) -> Cells:
        """Raises ValueError for a row of which nothing can be taken."""
        if line.fault is not None:
            raise ValueError(line.fault)
        if line.status not in (OPEN, DISMISSED):
            near = nearest(line.status, (OPEN, DISMISSED))
            raise ValueError(f"_status is '{line.status}'{near}, wanted {OPEN} or {DISMISSED}")
        if not line.cells:
            return {}
        if now is None:
            if line.exported is not None and ID in line.cells:
                raise ValueError(f"{ID} is locked: it says which row this is")
            raise ValueError(f"no refused row has the id {line.id}: {_NO_LONGER}")
        return changes.of(line, now)

    def _take(self, name: str, same: Sequence[tuple[Mended, Cells]], now: Mapping[str, Any] | None) -> None:
        """Take what the rows of one id say, where they say one thing."""
        line, cells = same[0]
        if any((other.status, its) != (line.status, cells) for other, its in same):
            rows = " and ".join(str(other.at) for other, _ in same)
            self.problems += [(other.at, f"rows {rows} have one _id and differ: none is taken") for other, _ in same]
            return
        self.places[name] = line.at
        status = self.statuses.get(name)
        if status in (OPEN, SUPERSEDED) and cells and line.status == DISMISSED:
            self.problems.append(
                (line.at, f"has the status {DISMISSED} and changed cells ({', '.join(cells)}): undo one of them")
            )
        elif status == OPEN and cells:
            self.edits[name] = cells
        elif status == OPEN and line.status == DISMISSED:
            self.given_up.append(name)
        elif status != OPEN and now is not None and (said := _too_late(line, cells, now)):
            self.problems.append((line.at, said))
        elif status != OPEN:
            self.settled += 1

    def not_published(self, done: Replayed) -> Iterator[tuple[int, str]]:
        """A sentence for each row that was mended and is not published."""
        judged = {*done.published, *done.left_out}
        for row in done.failing.iter_rows(named=True):
            judged.add(row[ID])
            yield self.places[row[ID]], self.wanted.refusal_of(row).why
        yield from ((self.places[name], "is left out by a step, a rule or a later row") for name in done.left_out)
        yield from ((self.places[name], _OVERTAKEN) for name in self.edits if name not in judged)


_NO_LONGER = "a rerun has published or dropped it, or it was erased or has expired"


def _id(line: Mended) -> str:
    if line.id is None:
        raise ValueError("has no _id: rows cannot be added here, let them land")
    return line.id


def _too_late(line: Mended, cells: Cells, now: Mapping[str, Any]) -> str | None:
    """Why a row that waits no longer cannot have what is wanted of it; None where it has it."""
    by = f" by {now[STATUS_BY]}" if now[STATUS_BY] else ""
    match now[STATUS]:
        case status if status == SUPERSEDED:
            return _superseded(now) if cells else None
        case status if status == DISMISSED:
            return f"is dismissed{by}: run dq quarantine reopen before you mend it" if cells else None
    if line.status == DISMISSED:
        return f"is published already{by}: a published row cannot be dismissed"
    before = json.loads(now[CORRECTION] or "{}")
    if other := [name for name, text in cells.items() if name not in before or before[name] != text]:
        return (
            f"is published already{by}, with another value of {', '.join(other)}: "
            f"correct {now[SOURCE]}, so that it lands again, to change it"
        )
    return None


def _superseded(row: Mapping[str, Any]) -> str:
    return f"is superseded, for a later version of {row[SOURCE]} has landed: export again, and mend the row of that version"


def _gone(lines: Sequence[Mended]) -> Iterator[str]:
    """A sentence where rows that were exported are no longer in the file."""
    exported = [line.exported for line in lines if line.exported is not None]
    there = {marks.row for marks in exported}
    gone = [row for row in range(2, max((marks.rows for marks in exported), default=1) + 1) if row not in there]
    # A row that lost its last cells is there, and told apart.
    count = len(gone) - sum(line.exported is None for line in lines)
    if count > 0:
        rows = counted(count, "exported row", "is", "are")
        yield f"row {gone[0]}: {rows} no longer in the file, from this one on; nothing becomes of what is not there"


def _open_rows(work: TableRun, chosen: Chosen) -> pl.DataFrame:
    rows = chosen.rows(refused_of(work)).filter(pl.col(STATUS) == OPEN, pl.col(ID).is_not_null())
    return rows.unique(ID, keep="first", maintain_order=True).collect()
