"""The workbook (or CSV) in which a person mends refused rows: how it looks, and what stands in it when it comes back.

Which cells may be mended and what becomes of them belongs in `mending`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from openpyxl.utils.escape import escape, unescape

from dq_pipelines.errors import PublishError, SourceError, nearest
from dq_pipelines.layers.formulas import guarded, unguarded
from dq_pipelines.layers.quarantine import DISMISSED, ID, OPEN, STATUS
from dq_pipelines.sources import ROW, SOURCE

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell
    from openpyxl.styles import PatternFill
    from openpyxl.worksheet.worksheet import Worksheet

#: The column that says why a row was refused, in words.
WHY = "_why"

_BEFORE, _AFTER = (ID, STATUS), (WHY, SOURCE, ROW)
_SHEET, _ABOUT = "refused rows", "about"

#: What Excel takes: rows of a sheet, characters of a cell.
_MOST_ROWS, _LONGEST = 1_048_576, 32_767
_LOCKED, _BLAME = "EDEDED", "FFC7CE"
_WIDTHS = {ID: 14, STATUS: 11, WHY: 60, SOURCE: 30, ROW: 8}


@dataclass(frozen=True)
class Refusal:
    """One refused row as people see it."""

    id: str
    cells: Mapping[str, str | None]
    source: str
    row: int
    #: every reason in one line
    why: str
    #: by column, why its value was refused
    reasons: Mapping[str, str]


@dataclass(frozen=True)
class Layout:
    """What a table's workbook looks like."""

    table: str
    columns: Sequence[str]
    #: columns that a person may change
    editable: frozenset[str] = frozenset()
    #: of these, those that tell one row from another: to be changed only where the cell itself is to blame
    keys: frozenset[str] = frozenset()
    #: the values that a column may have
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Mended:
    """One row of a workbook that came back."""

    #: 1-based row of the sheet or line of the file
    at: int
    id: str
    status: str
    cells: Mapping[str, Any]


def write_book(path: Path, layout: Layout, rows: Sequence[Refusal]) -> None:
    """Write refused rows to `path`, `.xlsx` or `.csv`; raises PublishError when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".csv":
            _write_csv(path, layout, rows)
        elif path.suffix.lower() != ".xlsx":
            raise PublishError(f"{path}: wanted a file ending in .xlsx or .csv")
        elif len(rows) >= _MOST_ROWS:
            raise PublishError(
                f"{path}: {len(rows):,} rows do not fit a sheet: choose by --rule or --batch, or write a .csv"
            )
        else:
            _write_xlsx(path, layout, rows)
    except OSError as error:
        raise PublishError(f"{path}: wanted to write the refused rows, got {error.strerror}") from None


def _head(layout: Layout) -> list[str]:
    return [*_BEFORE, *layout.columns, *_AFTER]


def _line(layout: Layout, row: Refusal) -> list[Any]:
    return [row.id, OPEN, *(row.cells[name] for name in layout.columns), row.why, row.source, row.row]


def _write_csv(path: Path, layout: Layout, rows: Sequence[Refusal]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for line in (_head(layout), *(_line(layout, row) for row in rows)):
            writer.writerow([guarded(value) if isinstance(value, str) else value for value in line])


def _write_xlsx(path: Path, layout: Layout, rows: Sequence[Refusal]) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet, about = book.worksheets[0], book.create_sheet(_ABOUT)
    sheet.title = _SHEET
    _fill(sheet, layout, rows)
    for line in (
        ("table", layout.table),
        (
            "how",
            "Mend the white cells, or set _status to dismissed, and bring the file back: dq quarantine import FILE",
        ),
        ("red", "is what was refused: the comment says why. Grey cells are locked."),
    ):
        about.append([_in_sheet(text) for text in line])
    about.column_dimensions["B"].width = 100
    book.save(path)


def _fill(sheet: Worksheet, layout: Layout, rows: Sequence[Refusal]) -> None:
    from openpyxl.styles import Font

    head = _head(layout)
    for place, name in enumerate(head, start=1):
        cell = cast("Cell", sheet.cell(1, place))
        _put_text(cell, _in_sheet(name))
        cell.font, cell.fill = Font(bold=True), _filled(_LOCKED)
    for number, row in enumerate(rows, start=2):
        for place, (name, value) in enumerate(zip(head, _line(layout, row), strict=True), start=1):
            _put(cast("Cell", sheet.cell(number, place)), value, name, row.reasons.get(name), layout)
    _dress(sheet, layout, head, last=max(len(rows) + 1, 2))


def _put(cell: Cell, value: Any, name: str, reason: str | None, layout: Layout) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Alignment, Protection

    whole = True
    if isinstance(value, str):
        text = _in_sheet(value)
        whole = _from_sheet(text) == value
        _put_text(cell, text)
    else:
        cell.value = value
    mendable = name in layout.editable and whole and (name not in layout.keys or reason is not None)
    if mendable or name == STATUS:
        cell.protection, cell.number_format = Protection(locked=False), "@"
    else:
        cell.fill = _filled(_LOCKED)
    if reason is not None:
        cell.fill, cell.comment = _filled(_BLAME), Comment(reason, "dq", height=80, width=320)
    if name == WHY:
        cell.alignment = Alignment(wrap_text=True)


def _put_text(cell: Cell, text: str) -> None:
    """As text, whatever it looks like: openpyxl takes one that begins with = for a formula."""
    cell.value = text
    cell.data_type = "s"


def _in_sheet(text: str) -> str:
    """A text as a sheet can hold it: no formula, characters that XML lacks escaped, and cut where it is too long."""
    return str(escape(guarded(text)))[:_LONGEST]


def _from_sheet(value: Any) -> Any:
    """What `_in_sheet` was given; another value as it is."""
    return unguarded(unescape(value)) if isinstance(value, str) else value


def is_unchanged(value: Any, text: str | None) -> bool:
    """Whether a cell that came back is what was written for `text`."""
    came, wrote = str(value or ""), text or ""
    return came in (wrote, _from_sheet(_in_sheet(wrote)))


def _filled(colour: str) -> PatternFill:
    from openpyxl.styles import PatternFill

    return PatternFill("solid", fgColor=colour)


def _dress(sheet: Worksheet, layout: Layout, head: Sequence[str], last: int) -> None:
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    for place, name in enumerate(head, start=1):
        letter = get_column_letter(place)
        sheet.column_dimensions[letter].width = _WIDTHS.get(name, 18)
        choices = (OPEN, DISMISSED) if name == STATUS else layout.choices.get(name, ())
        listed = ",".join(choices)
        # A list in the rule itself holds 255 characters and no comma in a value.
        if choices and len(listed) <= 255 and not any("," in choice or '"' in choice for choice in choices):
            rule = DataValidation("list", formula1=f'"{listed}"', allow_blank=True, showErrorMessage=name == STATUS)
            sheet.add_data_validation(rule)
            rule.add(f"{letter}2:{letter}{last}")
    sheet.freeze_panes = "C2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(head))}{last}"
    sheet.protection.sheet = True
    sheet.protection.formatColumns = sheet.protection.autoFilter = sheet.protection.sort = False


def read_book(path: Path) -> tuple[str | None, list[Mended]]:
    """The table that the file is of (None where it does not say), and its rows; raises SourceError for another file."""
    if not path.is_file():
        raise SourceError(f"{path}: wanted a file that dq quarantine export wrote, found none")
    table, lines = (None, list(_csv_lines(path))) if path.suffix.lower() == ".csv" else _xlsx_lines(path)
    if not lines:
        raise SourceError(f"{path}: wanted the columns of dq quarantine export, got an empty file")
    head = [str(name) for name in lines[0]]
    for wanted in (ID, STATUS):
        if wanted not in head:
            raise SourceError(f"{path}: wanted the column '{wanted}'{nearest(wanted, head)}, got: {', '.join(head)}")
    rows = [(at, dict(zip(head, line, strict=False))) for at, line in enumerate(lines[1:], start=2) if any(line)]
    beside = {*_BEFORE, *_AFTER}
    return table, [
        Mended(at, str(row[ID]), str(row[STATUS]), {name: value for name, value in row.items() if name not in beside})
        for at, row in rows
    ]


def _csv_lines(path: Path) -> Iterator[Sequence[Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line in csv.reader(file):
                yield [unguarded(value) for value in line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: wanted CSV in UTF-8, got: {error}") from None


def _xlsx_lines(path: Path) -> tuple[str | None, list[Sequence[Any]]]:
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
        about = book[_ABOUT].iter_rows(values_only=True) if _ABOUT in book.sheetnames else ()
        tables = [str(line[1]) for line in about if line[0] == "table"]
        sheet = book[_SHEET] if _SHEET in book.sheetnames else book.worksheets[0]
        lines = [tuple(map(_from_sheet, line)) for line in sheet.iter_rows(values_only=True)]
        book.close()
    except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise SourceError(f"{path}: wanted a workbook (.xlsx) or .csv, got: {error}") from None
    return next(iter(tables), None), cast("list[Sequence[Any]]", lines)


def as_landed(value: Any, pattern: str | None) -> str | None:
    """A cell as text that could have landed: dates in the column's own pattern, whatever the sheet made of them."""
    match value:
        case None | "":
            return None
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case datetime() | date() | time() if pattern:
            return value.strftime(pattern)
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat()
        case str() if pattern:
            return _in_pattern(value, pattern)
    return str(value)


def _in_pattern(text: str, pattern: str) -> str:
    """A date that a person wrote as ISO has it, in the pattern in which it would have landed."""
    with suppress(ValueError):
        datetime.strptime(text, pattern)  # noqa: DTZ007 - only asked whether it is one
        return text
    with suppress(ValueError):
        return datetime.fromisoformat(text).strftime(pattern)
    return text
