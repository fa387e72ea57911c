"""Mending: refused rows out to a person, and what they changed back in, judged before anything is written.

The file in between belongs in `workbook`, what is judged and published in `replay`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dq_pipelines.errors import SourceError, nearest
from dq_pipelines.layers.corrections import Cells, landed_names, landed_value
from dq_pipelines.layers.healing import ALL, Chosen, give_status, must_land, refused_of, tell_superseded
from dq_pipelines.layers.landed import bronze
from dq_pipelines.layers.quarantine import DISMISSED, ID, OPEN, STATUS, STATUSES, SUPERSEDED, cells_in
from dq_pipelines.layers.refusals import Expectations
from dq_pipelines.layers.replay import Replayed, replay
from dq_pipelines.layers.work import Work
from dq_pipelines.layers.workbook import Layout, Mended, as_landed, is_unchanged, read_book, write_book
from dq_pipelines.project import Project, Silver
from dq_pipelines.rules.sets import ValuesInSet
from dq_pipelines.sources import SOURCE

#: Of a row that waited when the file was read, and no longer when it was judged.
_OVERTAKEN = "waits no longer: it was published, dismissed or superseded meanwhile"


@dataclass(frozen=True)
class Imported:
    """What became of a file that came back."""

    table: str
    replayed: Replayed
    #: rows that were dismissed in it
    dismissed: int = 0
    #: rows that wait no longer: published, dismissed (perhaps by the same file) or superseded before
    settled: int = 0
    #: one sentence for each row that was changed and is not published
    problems: tuple[str, ...] = ()

    def sentence(self, *, dry_run: bool) -> str:
        """What became of the rows, or would."""
        would = "would be " if dry_run else ""
        settled = f", {self.settled:,} were settled before" if self.settled else ""
        counts = f"{len(self.replayed.published):,} {would}published, {self.dismissed:,} {would}dismissed"
        return f"{counts}, {len(self.problems):,} refused still{settled}"


def export(work: Work, path: Path, chosen: Chosen = ALL) -> int:
    """Write the open rows to a workbook or CSV; how many there are. Raises PublishError."""
    rows = _open_rows(work, chosen)
    wanted = Expectations.of(work.table)
    refusals = [wanted.refusal_of(row) for row in rows.iter_rows(named=True)]
    write_book(path, _layout(work, rows), refusals)
    tell_superseded(work, chosen)
    return len(refusals)


@dataclass(frozen=True)
class Returned:
    """A file that came back."""

    path: Path
    #: `silver/<name>`, where the file says it
    said: str | None
    lines: Sequence[Mended]

    @classmethod
    def read(cls, path: Path) -> Returned:
        """Raises SourceError for a file that is none of ours."""
        return cls(path, *read_book(path))

    def table_of(self, project: Project, named: str | None) -> str:
        """The table that it is of, as the file or the caller says; raises SourceError when neither does."""
        said = (self.said or "").rpartition("/")[2]
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


def bring_back(work: Work, book: Returned, *, by: str, dry_run: bool = False) -> Imported:
    """Publish the rows that were mended in a file, as far as they pass, and dismiss those that were given up.

    Everything is judged before anything is written.
    """
    must_land(work)
    lines = book.lines
    ids = Chosen(ids=[line.id for line in lines])
    now = {row[ID]: row for row in ids.rows(refused_of(work)).collect().iter_rows(named=True)}
    waiting = [line for line in lines if line.id not in now or now[line.id][STATUS] in (OPEN, SUPERSEDED)]
    reader, places = _Reader(work), {line.id: line.at for line in lines}
    edits, given_up, problems, untouched = {}, [], [], 0
    for line in waiting:
        try:
            cells = reader.changed(line, now.get(line.id))
        except ValueError as error:
            problems.append(f"row {line.at}: {error}")
            continue
        if line.id in now and now[line.id][STATUS] == SUPERSEDED:
            if cells and line.status != DISMISSED:
                problems.append(f"row {line.at}: {_superseded(now[line.id])}")
            else:
                untouched += 1
        elif line.status == DISMISSED:
            given_up.append(line.id)
        elif cells:
            edits[line.id] = cells
    done = replay(work, Chosen(ids=list(edits)), by=by, edits=edits, dry_run=dry_run) if edits else Replayed("")
    wanted = Expectations.of(work.table)
    problems += [f"row {places[row[ID]]}: {wanted.refusal_of(row).why}" for row in done.failing.iter_rows(named=True)]
    problems += [f"row {places[name]}: is left out by a step, a rule or a later row" for name in done.left_out]
    judged = {*done.published, *done.failing[ID], *done.left_out} if edits else set()
    problems += [f"row {places[name]}: {_OVERTAKEN}" for name in edits if name not in judged]
    if not dry_run and given_up:
        give_status(work, Chosen(ids=given_up), DISMISSED, by)
    return Imported(work.table.key, done, len(given_up), len(lines) - len(waiting) + untouched, tuple(problems))


def _superseded(row: Mapping[str, Any]) -> str:
    return f"is superseded: a later version of {row[SOURCE]} has landed, and that one counts; export again and mend it there"


def _open_rows(work: Work, chosen: Chosen) -> pl.DataFrame:
    rows = chosen.rows(refused_of(work)).filter(pl.col(STATUS) == OPEN, pl.col(ID).is_not_null())
    return rows.unique(ID, keep="first", maintain_order=True).collect()


def _layout(work: Work, rows: pl.DataFrame) -> Layout:
    if work.table.is_gold:
        return Layout(work.table.key, cells_in(rows.columns))
    silver = work.table.landed.silver
    editable = landed_names(silver, bronze(work.table, work.lake).scan().collect_schema())
    sets = [rule for rule in silver.rules if isinstance(rule, ValuesInSet) and not rule.row_condition]
    choices = {rule.column: [str(value) for value in rule.value_set if value is not None] for rule in sets}
    return Layout(work.table.key, cells_in(rows.columns), frozenset(editable), frozenset(silver.keys), choices)


class _Reader:
    """What was changed in a row of a file, as cells of the landed row behind it."""

    def __init__(self, work: Work) -> None:
        self.silver: Silver = work.table.landed.silver
        self.landed = bronze(work.table, work.lake).scan().collect_schema()
        self.names = landed_names(self.silver, self.landed)

    def changed(self, line: Mended, now: Mapping[str, Any] | None) -> Cells:
        """Raises ValueError, with one sentence, for a row that cannot be taken."""
        if now is None:
            raise ValueError(f"no refused row has the id {line.id}: it was erased, or has expired")
        if line.status not in STATUSES:
            raise ValueError(
                f"_status is '{line.status}'{nearest(line.status, STATUSES)}, wanted {OPEN} or {DISMISSED}"
            )
        return dict(self._cells(line, now))

    def _cells(self, line: Mended, now: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
        for name, value in line.cells.items():
            if name not in now:
                raise ValueError(f"column '{name}' is none of the table's{nearest(name, now)}")
            pattern = self.silver.columns[name].format if name in self.silver.columns else None
            text = as_landed(value, pattern)
            if text == (now[name] or None) or is_unchanged(value, now[name]):
                continue
            if name not in self.names:
                raise ValueError(f"column '{name}' is made by a step and cannot be mended: mend what it is made of")
            self._must_fit(name, text)
            yield self.names[name], text

    def _must_fit(self, name: str, text: str | None) -> None:
        """A typed source has no place for another type: such a text would land as nothing."""
        dtype = self.landed[self.names[name]]
        if text is not None and dtype != pl.String:
            frame = pl.DataFrame({"text": [text]})
            if frame.select(landed_value(pl.col("text"), dtype)).item() is None:
                raise ValueError(f"{name}: '{text}' is no {dtype}")
