"""Exports refused rows to a file, and imports the corrections: rows are judged before anything is written."""

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
from dq_pipelines.pipeline.exchange.corrected_cells import Changes, column_notes, layout_of
from dq_pipelines.pipeline.exchange.refusal_reasons import RuleDescriptions
from dq_pipelines.pipeline.exchange.row_corrections import CorrectableColumns, shown_cells
from dq_pipelines.pipeline.exchange.workbook import Book, Refusal, ReturnedRow
from dq_pipelines.pipeline.exchange.workbook_files import read_book, write_book
from dq_pipelines.pipeline.quarantine.corrections import Cells
from dq_pipelines.pipeline.quarantine.quarantine_status import (
    ALL,
    RefusedRowFilter,
    log_superseded,
    refuse_gold,
    refused_of,
    set_status_locked,
)
from dq_pipelines.pipeline.quarantine.refused_rows import CORRECTION, DISMISSED, ID, OPEN, STATUS, STATUS_BY, SUPERSEDED
from dq_pipelines.pipeline.replay.replay import replayed
from dq_pipelines.pipeline.replay.replayed import Replayed
from dq_pipelines.pipeline.runtime.table_run import TableRun, with_table_lock
from dq_pipelines.project import Project
from dq_pipelines.sources import SOURCE

#: Rows that are formatted at a time.
_SLICE = 10_000
#: For a row that was open when the file was read, and no longer when it was judged.
_OVERTAKEN = "is no longer open: it was published, dismissed or superseded meanwhile"


@dataclass(frozen=True)
class ImportResult:
    """The result of importing a returned file."""

    table: str
    replayed: Replayed
    #: rows that the file dismisses
    dismissed: int = 0
    #: rows that were published, dismissed or superseded before, and that the file does not change
    settled: int = 0
    #: one sentence for each changed row that is not published
    problems: tuple[str, ...] = ()
    #: one sentence for each finding on the whole file: added or missing columns, missing rows
    notes: tuple[str, ...] = ()

    def sentence(self, *, dry_run: bool) -> str:
        """The counts in one sentence; for a dry run, what would happen."""
        would = "would be " if dry_run else ""
        settled = f", {self.settled:,} were settled before" if self.settled else ""
        counts = f"{len(self.replayed.published):,} {would}published, {self.dismissed:,} {would}dismissed"
        return f"{counts}, {len(self.problems):,} refused still{settled}"


def export(work: TableRun, path: Path, chosen: RefusedRowFilter = ALL) -> int:
    """Write the open rows to a workbook or CSV and return their number. Raises PublishError."""
    rows = _open_rows(work, chosen)
    columns = CorrectableColumns.of(work, rows.columns)
    write_book(path, columns.layout, _refusals(rows, columns), rows.height)
    log_superseded(work, chosen)
    return rows.height


def _refusals(rows: pl.DataFrame, columns: CorrectableColumns) -> Iterator[Refusal]:
    for part in rows.iter_slices(_SLICE):
        for row in part.iter_rows(named=True):
            yield columns.rules.refusal_of(_as_exported(row, columns.names))


def _as_exported(row: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """An open row with its corrections so far; any other row as it landed."""
    return row | shown_cells(row, names) if row[STATUS] == OPEN and row[CORRECTION] else row


@dataclass(frozen=True)
class ReturnedFile:
    """A file that a person returns."""

    path: Path
    book: Book

    @classmethod
    def read(cls, path: Path) -> ReturnedFile:
        """Read a file; raises SourceError for a file that no export wrote."""
        return cls(path, read_book(path))

    def table_of(self, project: Project, named: str | None) -> str:
        """The table of the file, as the file or the caller names it; raises SourceError when neither does."""
        in_file = (self.book.table or "").rpartition("/")[2]
        if named is not None and in_file and named != in_file:
            raise SourceError(f"{self.path}: is of the table '{in_file}', wanted '{named}'")
        name = named or in_file
        if not name:
            raise SourceError(f"{self.path}: does not say which table it is of: name it with --table")
        if name not in project.tables:
            raise SourceError(
                f"{self.path}: is of the table '{name}'{nearest(name, project.tables)}, which the project does not have"
            )
        return name


def import_corrections(work: TableRun, book: ReturnedFile, *, by: str, dry_run: bool = False) -> ImportResult:
    """Publish the corrected rows of a file that pass, and dismiss the rows that the file dismisses.

    All rows are judged before anything is written, under the table's lock. Raises SourceError where the file's columns are
    not the table's.
    """
    return with_table_lock(partial(_import_locked, returned=book, by=by, dry_run=dry_run))(work)


def _import_locked(work: TableRun, *, returned: ReturnedFile, by: str, dry_run: bool) -> ImportResult:
    refuse_gold(work)
    changes = _RequestedChanges.of(work, returned)
    edits = changes.edits
    replay = (
        replayed(work, chosen=RefusedRowFilter(ids=list(edits)), by=by, edits=edits, dry_run=dry_run)
        if edits
        else Replayed("")
    )
    problems = [*changes.problems, *changes.not_published(replay)]
    dismissed = list(changes.dismissed)
    if not dry_run and dismissed:
        set_status_locked(work, chosen=RefusedRowFilter(ids=dismissed), status=DISMISSED, by=by)
    sentences = tuple(f"row {at}: {problem}" for at, problem in sorted(problems))
    return ImportResult(work.table.key, replay, len(dismissed), changes.settled, sentences, changes.notes)


@dataclass
class _RequestedChanges:
    """What a returned file requests for refused rows."""

    rules: RuleDescriptions
    notes: tuple[str, ...] = ()
    #: cells by row id
    edits: dict[str, Cells] = field(default_factory=dict)
    #: ids of rows to dismiss
    dismissed: list[str] = field(default_factory=list)
    #: rows of the file with a sentence each
    problems: list[tuple[int, str]] = field(default_factory=list)
    settled: int = 0
    #: by id, the current status of each row of the table
    statuses: dict[str, str] = field(default_factory=dict)
    #: by id, the row number in the file
    places: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, work: TableRun, returned: ReturnedFile) -> _RequestedChanges:
        book, rules = returned.book, RuleDescriptions.of(work.table)
        rows = refused_of(work)
        layout = layout_of(work, rows.collect_schema().names())
        try:
            notes = (*book.notes, *column_notes(book, layout), *_missing_rows(book.rows))
        except ValueError as error:
            raise SourceError(f"{returned.path}: {error}") from None
        changed = RefusedRowFilter(ids=list({line.id for line in book.rows if line.cells and line.id is not None}))
        requested, changes = cls(rules, notes), Changes(work, book, layout, rules)
        found = changed.rows(rows).collect().iter_rows(named=True)
        now = {row[ID]: _as_exported(row, changes.names) for row in found}
        requested.statuses = dict(rows.select(ID, STATUS).drop_nulls(ID).collect().iter_rows())
        by_id: dict[str, list[tuple[ReturnedRow, Cells]]] = {}
        faulty: dict[str, int] = {}
        for line in book.rows:
            try:
                name = _id(line)
                cells = requested._changed(changes, line, now.get(name))
                by_id.setdefault(name, []).append((line, cells))
            except ValueError as error:
                requested.problems.append((line.at, str(error)))
                faulty[line.id or ""] = line.at
        for name, same in by_id.items():
            if name in faulty:
                requested.problems += [
                    (line.at, f"has the _id of row {faulty[name]}: none of them is taken") for line, _ in same
                ]
            else:
                requested._take(name, same, now.get(name))
        return requested

    def _changed(self, changes: Changes, line: ReturnedRow, now: Mapping[str, Any] | None) -> Cells:
        """The changed cells of a row; raises ValueError for a row that cannot be imported."""
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

    def _take(self, name: str, same: Sequence[tuple[ReturnedRow, Cells]], now: Mapping[str, Any] | None) -> None:
        """Accept the request of the rows with one id, if they agree."""
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
            self.dismissed.append(name)
        elif status != OPEN and now is not None and (reason := _too_late(line, cells, now)):
            self.problems.append((line.at, reason))
        elif status != OPEN:
            self.settled += 1

    def not_published(self, replay: Replayed) -> Iterator[tuple[int, str]]:
        """One sentence for each corrected row that is not published."""
        judged = {*replay.published, *replay.left_out}
        for row in replay.failing.iter_rows(named=True):
            judged.add(row[ID])
            yield self.places[row[ID]], self.rules.refusal_of(row).why
        yield from ((self.places[name], "is left out by a step, a rule or a later row") for name in replay.left_out)
        yield from ((self.places[name], _OVERTAKEN) for name in self.edits if name not in judged)


_NO_LONGER = "a rerun has published or dropped it, or it was erased or has expired"


def _id(line: ReturnedRow) -> str:
    if line.id is None:
        raise ValueError("has no _id: rows cannot be added here, let them land")
    return line.id


def _too_late(line: ReturnedRow, cells: Cells, now: Mapping[str, Any]) -> str | None:
    """Why a row that is no longer open cannot be changed as requested; None where it already is as requested."""
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


def _missing_rows(lines: Sequence[ReturnedRow]) -> Iterator[str]:
    """One sentence if exported rows are missing from the file."""
    exported = [line.exported for line in lines if line.exported is not None]
    present = {checksums.row for checksums in exported}
    last = max((checksums.rows for checksums in exported), default=1)
    missing = [row for row in range(2, last + 1) if row not in present]
    # A row that lost its checksums is present, but has no number.
    count = len(missing) - sum(line.exported is None for line in lines)
    if count > 0:
        rows = counted(count, "exported row", "is", "are")
        yield f"row {missing[0]}: {rows} no longer in the file, from this one on; missing rows stay as they are"


def _open_rows(work: TableRun, chosen: RefusedRowFilter) -> pl.DataFrame:
    rows = chosen.rows(refused_of(work)).filter(pl.col(STATUS) == OPEN, pl.col(ID).is_not_null())
    return rows.unique(ID, keep="first", maintain_order=True).collect()
