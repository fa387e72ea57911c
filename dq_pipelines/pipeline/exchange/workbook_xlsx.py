"""Writes and reads the `.xlsx` with refused rows: its styles, locked cells and cell comments.

openpyxl makes the workbook without its cells, since it takes 40 seconds for 100,000 rows of 14 columns. The cells are
written as XML here, and read by calamine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zipfile import ZIP_DEFLATED, ZipFile

from dq_pipelines.errors import SourceError
from dq_pipelines.pipeline.exchange.workbook import WHY, Formula, Layout, Refusal
from dq_pipelines.pipeline.exchange.workbook_checksums import CHECKSUM_COLUMN, checksums_text, column_seeds
from dq_pipelines.pipeline.exchange.workbook_text import fits_a_sheet, sheet_cell_of
from dq_pipelines.pipeline.quarantine.refused_rows import DISMISSED, ID, OPEN, STATUS
from dq_pipelines.sources import ROW, SOURCE

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

_SHEET, _ABOUT = "refused rows", "about"
_LOCKED, _BLAME = "EDEDED", "FFC7CE"
_WIDTHS = {ID: 14, STATUS: 11, WHY: 60, SOURCE: 30, ROW: 8}

#: Up to so many rows, reasons are also cell comments: a spreadsheet draws each, and takes minutes to open more.
_COMMENTED = 5_000
#: Characters of a comment.
_LONGEST_COMMENT = 2_000

#: Characters that XML cannot hold or reads as markup, and texts that would be read as an escape of one.
_ODD = re.compile("[&<>\x00-\x08\x0b-\x1f\ufffe\uffff\ud800-\udfff]|_(?=x[0-9A-Fa-f]{4}_)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ABOUT_IT = (
    ("how", "Mend the white cells, or set _status to dismissed, and bring the file back: dq quarantine import FILE"),
    ("red", "is what was refused: _why and the comment say why. Grey cells are locked."),
    ("empty", "is a null. A single apostrophe is an empty text; one before =, +, - or @ is no part of the text."),
    ("long", "A text of more than 32,767 characters is cut and locked: mend it in a .csv."),
)


@dataclass
class _Styles:
    """The style numbers of the workbook, each created at its first use."""

    sheet: Worksheet
    numbers: dict[tuple[bool, bool, str], int] = field(default_factory=dict)

    def of(self, name: str, *, editable: bool, blamed: bool) -> int:
        """The style of a cell in the column `name`."""
        key = (editable, blamed, name if name == WHY else "")
        if (number := self.numbers.get(key)) is None:
            number = self.numbers[key] = self._create(*key)
        return number

    def _create(self, editable: bool, blamed: bool, name: str) -> int:
        from openpyxl.styles import Alignment, PatternFill, Protection

        cell = self._cell()
        if editable:
            cell.protection, cell.number_format = Protection(locked=False), "@"
        if blamed or not editable:
            cell.fill = PatternFill("solid", fgColor=_BLAME if blamed else _LOCKED)
        if name:
            cell.alignment = Alignment(wrap_text=True)
        return int(cell.style_id)

    def head(self) -> int:
        """The style of a column's name."""
        from openpyxl.styles import Font, PatternFill

        cell = self._cell()
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor=_LOCKED)
        return int(cell.style_id)

    def _cell(self) -> Cell:
        from openpyxl.cell.cell import Cell

        return Cell(self.sheet, 1, 1)


def write_xlsx(path: Path, layout: Layout, rows: Iterable[Refusal], count: int) -> None:
    """Write `count` refused rows to a workbook."""
    from openpyxl import Workbook

    book = Workbook()
    sheet, about = book.worksheets[0], book.create_sheet(_ABOUT)
    sheet.title = _SHEET
    for line in (("table", layout.table), *_ABOUT_IT):
        about.append([_legible(sheet_cell_of(text)) for text in line])
    about.column_dimensions["B"].width = 100
    _format_sheet(sheet, layout, last=max(count + 1, 2))
    if count <= _COMMENTED:
        rows = list(rows)
        _comment(sheet, layout, rows)
    lines = _Lines(layout, _Styles(sheet), count)
    lines.create_styles()
    skeleton = BytesIO()
    book.save(skeleton)
    with ZipFile(skeleton) as made, ZipFile(path, "w", ZIP_DEFLATED, compresslevel=2) as out:
        part = made.getinfo("xl/worksheets/sheet1.xml")
        for item in made.infolist():
            if item.filename != part.filename:
                out.writestr(item, made.read(item))
        before, after = re.split("<sheetData>.*</sheetData>|<sheetData ?/>", made.read(part).decode(), flags=re.DOTALL)
        extent = f'<dimension ref="{sheet.auto_filter.ref}"'
        with out.open(part.filename, "w", force_zip64=True) as xml:
            xml.write(re.sub('<dimension ref="[^"]*"', extent, before).encode() + b"<sheetData>")
            for text in lines.written(rows):
                xml.write(text.encode("utf-8"))
            xml.write(b"</sheetData>" + after.encode())


@dataclass
class _Lines:
    """The rows of the sheet as XML."""

    layout: Layout
    styles: _Styles
    count: int

    def create_styles(self) -> None:
        """Create every style that a row may need, before openpyxl writes the styles."""
        self.header = self.styles.head()
        for name in (WHY, ""):
            for editable in (True, False):
                for blamed in (True, False):
                    self.styles.of(name, editable=editable, blamed=blamed)

    def written(self, rows: Iterable[Refusal]) -> Iterator[str]:
        """The XML of the header and of each row."""
        from openpyxl.utils import get_column_letter

        names = [*self.layout.head, CHECKSUM_COLUMN]
        letters = [get_column_letter(place) for place in range(1, len(names) + 1)]
        seeds = list(column_seeds(self.layout.head).values())
        titles = (
            _cell(f"{letter}1", self.header, sheet_cell_of(name)) for letter, name in zip(letters, names, strict=True)
        )
        yield f'<row r="1">{"".join(titles)}</row>'
        grey = self.styles.of("", editable=False, blamed=False)
        for number, row in enumerate(rows, start=2):
            values = self.layout.values(row)
            cells = [sheet_cell_of(value) for value in values]
            parts = [
                _cell(f"{letter}{number}", self._style(name, value, row), cell)
                for letter, name, value, cell in zip(letters, names, values, cells, strict=False)
            ]
            parts.append(_cell(f"{letters[-1]}{number}", grey, checksums_text(number, self.count + 1, seeds, cells)))
            yield f'<row r="{number}">{"".join(parts)}</row>'

    def _style(self, name: str, value: str | None, row: Refusal) -> int:
        editable = name == STATUS or (self.layout.may_correct(name, row) and fits_a_sheet(value))
        return self.styles.of(name, editable=editable, blamed=name in row.reasons)


def _cell(place: str, style: int, text: str) -> str:
    """A cell that holds a text, whatever it looks like: never a formula, number or date."""
    if not text:
        return f'<c r="{place}" s="{style}"/>'
    if _ODD.search(text):
        text = _ODD.sub(_escaped, text)
    return f'<c r="{place}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _escaped(match: re.Match[str]) -> str:
    return _ENTITIES.get(match[0]) or f"_x{ord(match[0]):04X}_"


def _legible(text: str) -> str:
    """A text that openpyxl accepts, for people to read only."""
    return _ODD.sub(lambda match: match[0] if match[0] in _ENTITIES else f"_x{ord(match[0]):04X}_", text)


def _comment(sheet: Worksheet, layout: Layout, rows: Sequence[Refusal]) -> None:
    from openpyxl.comments import Comment

    for number, row in enumerate(rows, start=2):
        for place, name in enumerate(layout.head, start=1):
            if (reason := row.reasons.get(name)) is not None:
                text = _legible(reason)[:_LONGEST_COMMENT]
                cast("Cell", sheet.cell(number, place)).comment = Comment(text, "dq", height=80, width=320)


def _format_sheet(sheet: Worksheet, layout: Layout, last: int) -> None:
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    for place, name in enumerate(layout.head, start=1):
        letter = get_column_letter(place)
        sheet.column_dimensions[letter].width = _WIDTHS.get(name, 18)
        choices = (OPEN, DISMISSED) if name == STATUS else layout.choices.get(name, ())
        listed = ",".join(choices)
        # A list in the rule itself holds 255 characters and no comma in a value.
        unlistable = any("," in choice or '"' in choice or _legible(choice) != choice for choice in choices)
        if choices and len(listed) <= 255 and not unlistable:
            rule = DataValidation("list", formula1=f'"{listed}"', allow_blank=True, showErrorMessage=name == STATUS)
            sheet.add_data_validation(rule)
            rule.add(f"{letter}2:{letter}{last}")
    letter = get_column_letter(len(layout.head) + 1)
    sheet.column_dimensions[letter].hidden = True
    sheet.freeze_panes = "C2"
    sheet.auto_filter.ref = f"A1:{letter}{last}"
    sheet.protection.sheet = True
    sheet.protection.formatColumns = sheet.protection.autoFilter = sheet.protection.sort = False


def read_xlsx(path: Path) -> tuple[str | None, list[Sequence[Any]]]:
    """The table of a workbook and the rows of its sheet; raises SourceError for another file."""
    from python_calamine import CalamineError, CalamineWorkbook

    from dq_pipelines.sources.workbook_raw import unseen

    try:
        book = CalamineWorkbook.from_path(path)
        about = book.get_sheet_by_name(_ABOUT).to_python() if _ABOUT in book.sheet_names else []
        tables = [str(line[1]) for line in about if line[:1] == ["table"] and len(line) > 1]
        name = _SHEET if _SHEET in book.sheet_names else book.sheet_names[0]
        sheet = book.get_sheet_by_name(name)
        lines: list[list[Any]] = sheet.to_python(skip_empty_area=False)
        for row, cells in unseen(str(path), [name]).get(name, {}).items():
            for column, text in cells.items():
                _put(lines, row, column, Formula(text[1:]) if text.startswith("=") else text)
    except (CalamineError, OSError, ValueError, KeyError, IndexError, OverflowError) as error:
        raise SourceError(f"{path}: wanted a workbook (.xlsx) or .csv, got: {error}") from None
    return next(iter(tables), None), cast("list[Sequence[Any]]", lines)


def _put(lines: list[list[Any]], row: int, column: int, cell: Any) -> None:
    """Insert a cell that calamine does not return."""
    width = max([column + 1, *map(len, lines[:1])])
    lines.extend([""] * width for _ in range(len(lines), row + 1))
    lines[row].extend([""] * (column + 1 - len(lines[row])))
    lines[row][column] = cell


__all__ = ["read_xlsx", "write_xlsx"]
