"""Writes and reads the file with refused rows: an `.xlsx` or a CSV."""

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
from dq_pipelines.pipeline.exchange.workbook import Book, Layout, Refusal, ReturnedRow, text_of
from dq_pipelines.pipeline.exchange.workbook_checksums import (
    CHECKSUM_COLUMN,
    RowChecksums,
    checksum,
    checksums_text,
    column_seeds,
)
from dq_pipelines.pipeline.exchange.workbook_text import cell_of, sheet_value_of, value_of
from dq_pipelines.pipeline.exchange.workbook_xlsx import read_xlsx, write_xlsx
from dq_pipelines.pipeline.quarantine.refused_rows import ID, STATUS

#: Rows that a sheet can hold.
_MOST_ROWS = 1_048_576


def write_book(path: Path, layout: Layout, rows: Iterable[Refusal], count: int) -> None:
    """Write `count` refused rows to `path`, `.xlsx` or `.csv`; raises PublishError when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".csv":
            with _replacing(path) as unfinished:
                _write_csv(unfinished, layout, rows, count)
        elif path.suffix.lower() != ".xlsx":
            raise PublishError(f"{path}: wanted a file ending in .xlsx or .csv")
        elif count >= _MOST_ROWS:
            raise PublishError(
                f"{path}: {count:,} rows do not fit a sheet: choose by --rule or --batch, or write a .csv"
            )
        else:
            with _replacing(path) as unfinished:
                write_xlsx(unfinished, layout, rows, count)
    except OSError as error:
        raise PublishError(f"{path}: wanted to write the refused rows, got {error.strerror}") from None


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; the file there replaces `path` when the block ends without an error."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write_csv(path: Path, layout: Layout, rows: Iterable[Refusal], count: int) -> None:
    seeds = list(column_seeds(layout.head).values())
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([cell_of(name) for name in (*layout.head, CHECKSUM_COLUMN)])
        for number, row in enumerate(rows, start=2):
            cells = [cell_of(value) for value in layout.values(row)]
            writer.writerow([*cells, checksums_text(number, count + 1, seeds, cells)])


def read_book(path: Path) -> Book:
    """Read a returned file; raises SourceError for a file that no export wrote, or with two columns of one name."""
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
        raise SourceError(f"{path}: row 1: two columns are named '{twice[0]}'; keep one of them")
    numbered = [(at, line) for at, line in enumerate(lines[1:], start=2) if any(cell != "" for cell in line)]
    seeds = column_seeds(head)
    rows = [_row(at, line, head, seeds, read) for at, line in numbered]
    return Book(table, [name for name in head if name], rows, is_sheet, _nameless(head, numbered))


def _nameless(head: Sequence[str], lines: Sequence[tuple[int, Sequence[Any]]]) -> tuple[str, ...]:
    """One sentence if a column without a name has cells."""
    places = [place for place, name in enumerate(head) if not name]
    filled = ((at, line[place]) for at, line in lines for place in places if place < len(line) and line[place] != "")
    return tuple(
        f"row {at}: '{text_of(cell)}' is in a column without a name, which is ignored" for at, cell in islice(filled, 1)
    )


def _row(
    at: int, line: Sequence[Any], head: Sequence[str], seeds: Mapping[str, int], read: Callable[[str], str | None]
) -> ReturnedRow:
    beyond = any(cell != "" for cell in line[len(head) :])
    fault = f"wanted {counted(len(head), 'cell')}, got {len(line)}" if beyond or len(line) < len(head) else None
    cells = dict(zip(head, line, strict=False))
    cells.pop("", None)
    exported = RowChecksums.read(text_of(cells.pop(CHECKSUM_COLUMN, "")))
    name, status = (text_of(cells.get(each, "")) for each in (ID, STATUS))
    if exported is not None:
        unchanged = exported.checksums
        cells = {name: cell for name, cell in cells.items() if checksum(text_of(cell), seeds[name]) not in unchanged}
    return ReturnedRow(at, read(name), status, cells, exported, fault)


def _csv_lines(path: Path) -> list[Sequence[Any]]:
    csv.field_size_limit(2**31 - 1)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: wanted CSV in UTF-8, got: {error}") from None
