"""Refused rows in a file that a person gets and gives back: an `.xlsx` or a CSV. How a sheet looks belongs in `workbook_xlsx`."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from dq_pipelines.config.counting import counted
from dq_pipelines.errors import PublishError, SourceError, nearest
from dq_pipelines.pipeline.exchange.workbook import Book, Layout, Mended, Refusal, text_of
from dq_pipelines.pipeline.exchange.workbook_checksums import MARKS, Marks, checksum, marks, seeds_of
from dq_pipelines.pipeline.exchange.workbook_text import cell_of, sheet_value_of, value_of
from dq_pipelines.pipeline.exchange.workbook_xlsx import read_xlsx, write_xlsx
from dq_pipelines.pipeline.quarantine.refused_rows import ID, STATUS

#: Rows that a sheet takes.
_MOST_ROWS = 1_048_576


def write_book(path: Path, layout: Layout, rows: Iterable[Refusal], count: int) -> None:
    """Write `count` refused rows to `path`, `.xlsx` or `.csv`; raises PublishError when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".csv":
            with _beside(path) as unfinished:
                _write_csv(unfinished, layout, rows, count)
        elif path.suffix.lower() != ".xlsx":
            raise PublishError(f"{path}: wanted a file ending in .xlsx or .csv")
        elif count >= _MOST_ROWS:
            raise PublishError(
                f"{path}: {count:,} rows do not fit a sheet: choose by --rule or --batch, or write a .csv"
            )
        else:
            with _beside(path) as unfinished:
                write_xlsx(unfinished, layout, rows, count)
    except OSError as error:
        raise PublishError(f"{path}: wanted to write the refused rows, got {error.strerror}") from None


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A file that takes the place of `path` once it is whole."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write_csv(path: Path, layout: Layout, rows: Iterable[Refusal], count: int) -> None:
    seeds = list(seeds_of(layout.head).values())
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([cell_of(name) for name in (*layout.head, MARKS)])
        for number, row in enumerate(rows, start=2):
            cells = [cell_of(value) for value in layout.values(row)]
            writer.writerow([*cells, marks(number, count + 1, seeds, cells)])


def read_book(path: Path) -> Book:
    """What came back; raises SourceError for a file that is none of ours, or that has not one column for each name."""
    if not path.is_file():
        raise SourceError(f"{path}: wanted a file that dq quarantine export wrote, found none")
    if path.suffix.lower() == ".csv":
        table, lines = None, _csv_lines(path)
    else:
        table, lines = read_xlsx(path)
    if not lines:
        raise SourceError(f"{path}: wanted the columns of dq quarantine export, got an empty file")
    is_sheet = path.suffix.lower() != ".csv"
    read = sheet_value_of if is_sheet else value_of
    head = [read(text_of(cell)) or "" for cell in lines[0]]
    for wanted in (ID, STATUS):
        if wanted not in head:
            raise SourceError(f"{path}: wanted the column '{wanted}'{nearest(wanted, head)}, got: {', '.join(head)}")
    if twice := [name for name, count in Counter(head).items() if name and count > 1]:
        raise SourceError(f"{path}: row 1: the column '{twice[0]}' is there twice; keep the one that counts")
    numbered = [(at, line) for at, line in enumerate(lines[1:], start=2) if any(cell != "" for cell in line)]
    seeds = seeds_of(head)
    rows = [_row(at, line, head, seeds, read) for at, line in numbered]
    return Book(table, [name for name in head if name], rows, is_sheet, _nameless(head, numbered))


def _nameless(head: Sequence[str], lines: Sequence[tuple[int, Sequence[Any]]]) -> tuple[str, ...]:
    """A sentence where cells stand beneath an empty name."""
    places = [place for place, name in enumerate(head) if not name]
    found = ((at, line[place]) for at, line in lines for place in places if place < len(line) and line[place] != "")
    return tuple(
        f"row {at}: '{text_of(cell)}' stands in a column without a name, which is passed over"
        for at, cell in islice(found, 1)
    )


def _row(
    at: int, line: Sequence[Any], head: Sequence[str], seeds: Mapping[str, int], read: Callable[[str], str | None]
) -> Mended:
    beyond = any(cell != "" for cell in line[len(head) :])
    fault = f"wanted {counted(len(head), 'cell')}, got {len(line)}" if beyond or len(line) < len(head) else None
    cells = dict(zip(head, line, strict=False))
    cells.pop("", None)
    exported = Marks.read(text_of(cells.pop(MARKS, "")))
    name, status = (text_of(cells.get(each, "")) for each in (ID, STATUS))
    if exported is not None:
        known = exported.checksums
        cells = {name: cell for name, cell in cells.items() if checksum(text_of(cell), seeds[name]) not in known}
    return Mended(at, read(name), status, cells, exported, fault)


def _csv_lines(path: Path) -> list[Sequence[Any]]:
    csv.field_size_limit(2**31 - 1)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: wanted CSV in UTF-8, got: {error}") from None
