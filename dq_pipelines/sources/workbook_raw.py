"""Cells of a workbook that calamine does not show: errors, long integers, white texts, formulas without a value, impossible dates.

It is loaded by workbook.py, in a process of its own, and imports nothing of dq_pipelines.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import unescape

#: Cells by row and column, from 0.
Cells = dict[int, dict[int, str]]

_ERRORS = {"Div0": "#DIV/0!", "NA": "#N/A", "Name": "#NAME?", "Null": "#NULL!", "Num": "#NUM!", "Ref": "#REF!",
           "Value": "#VALUE!", "GettingData": "#GETTING_DATA"}  # fmt: skip
_QUOTES = {"&quot;": '"', "&apos;": "'"}
_OFFICE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_CHUNK = 4 * 1024**2
#: No cell is longer than this before its value: 32,767 characters of text come elsewhere.
_LOOK_BACK = 16_384

_CELL = re.compile(rb"<(?:\w+:)?c(?=[\s>])([^>]*)>")
_ERROR_CELL = re.compile(rb"""<(?:\w+:)?c\s[^>]*?\bt=["']e["'][^>]*>""")
_VALUE = re.compile(rb"<(?:\w+:)?v[^>]*>\s*([^<]*?)\s*</")
_LONG = re.compile(rb"<(?:\w+:)?v[^>]*>\s*(-?[0-9]{16,})\s*</")
_MOMENT = re.compile(r"ExcelDateTime \{ value: (-?[\d.e+-]+), datetime_type: DateTime, is_1904: (true|false)")
#: What tells in a third of the time that there is none of these.
_DIGITS = re.compile(rb">\s*-?[0-9]{16}")
#: A formula that nothing has calculated: its text, and no value after it.
_UNCALCULATED = re.compile(
    rb"<(?:\w+:)?f(?=[\s/>])[^>]*?(?:/>|>([^<]*)</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v[^>]*>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
#: A text within its cell that is nothing but white space; of shared texts calamine shows those.
_WHITE = re.compile(rb"<(?:\w+:)?is>\s*<(?:\w+:)?t(?=[\s>])[^>]*>([ \t\r\n]+)</(?:\w+:)?t>\s*</(?:\w+:)?is>")
_TYPE = re.compile(rb"""\bt=["'](\w+)["']""")
_PLACE = re.compile(rb"""\br=["']([A-Za-z]{1,3})([0-9]{1,7})["']""")


def unseen(path: str, sheets: Sequence[str]) -> dict[str, Cells]:
    """By sheet, the cells that calamine shows otherwise, as they stand in the file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as book:
            names = set(book.namelist())
            if "mimetype" in names or "content.xml" in names:
                return {}  # OpenDocument has errors as text
            if not any(name.endswith("workbook.bin") for name in names):
                parts = _parts(book)
                return {name: _in_xml(book, parts[name]) for name in sheets if name in parts}
    return _errors(path, sheets)


# --- .xlsx and .xlsm -------------------------------------------------------------------------------


def _parts(book: zipfile.ZipFile) -> dict[str, str]:
    """The XML of each sheet by the sheet's name."""
    root = next((name for name in book.namelist() if name.lower().lstrip("/") == "xl/workbook.xml"), None)
    root = root or next(iter(_targets(book, "").values()), "")
    if root not in book.namelist():
        return {}
    targets = _targets(book, root)
    elements = ET.fromstring(book.read(root)).iter()  # noqa: S314 - in a limited process
    sheets = {
        str(element.get("name")): _relation(element)
        for element in elements
        if element.tag.rpartition("}")[2] == "sheet"
    }
    return {name: targets[key] for name, key in sheets.items() if key in targets}


def _relation(sheet: Any) -> str:
    return next((value for key, value in sheet.items() if key == _OFFICE or key.endswith("}id")), "")


def _targets(book: zipfile.ZipFile, part: str) -> dict[str, str]:
    """What the relations of a part point at, by their ids."""
    place = PurePosixPath(part)
    name = str(place.parent / "_rels" / f"{place.name}.rels") if part else "_rels/.rels"
    if name not in book.namelist():
        return {}
    targets = {}
    for relation in ET.fromstring(book.read(name)):  # noqa: S314 - in a limited process
        target = str(relation.get("Target"))
        whole = target.lstrip("/") if target.startswith("/") else str(place.parent / target)
        if str(relation.get("Type")).endswith(("/worksheet", "/officeDocument")):
            targets[str(relation.get("Id"))] = whole
    return {key: whole for key, whole in targets.items() if whole in book.namelist()}


def _in_xml(book: zipfile.ZipFile, part: str) -> Cells:
    cells: Cells = {}
    for attributes, value in _odd_cells(book, part):
        place = _PLACE.search(attributes)
        if place is None:  # places that follow from the cells before
            return _counted(book, part)
        cells.setdefault(int(place[2]) - 1, {})[_column(place[1].decode())] = value
    return cells


def _odd_cells(book: zipfile.ZipFile, part: str) -> Iterator[tuple[bytes, str]]:
    """The attributes and the value of each error, long integer, white text and formula without a value (`=A1+1`)."""
    with book.open(part) as stream:
        held = b""
        while chunk := stream.read(_CHUNK):
            held += chunk
            # Whole cells only; what follows the last one is looked at with the next chunk.
            last = max(held.rfind(b"</c>"), held.rfind(b":c>"))
            end = last + 4 if last >= 0 else 0
            errors = b't="e"' in held or b"t='e'" in held
            for match in _ERROR_CELL.finditer(held, 0, end) if errors else ():
                until = match.end() if match[0].endswith(b"/>") else match.end() + _LOOK_BACK
                value = _VALUE.search(held, match.end(), until)
                yield match[0], value[1].decode() if value else "#VALUE!"
            for match in _LONG.finditer(held, 0, end) if _DIGITS.search(held) else ():
                attributes = _before(held, match.start())
                if attributes is not None and _is_lost(attributes, match[1].decode()):
                    yield attributes, match[1].decode()
            for match in _UNCALCULATED.finditer(held, 0, end) if b"f>" in held or b"<f " in held else ():
                attributes = _before(held, match.start())
                if attributes is not None and _is_number(attributes):
                    yield attributes, f"={unescape((match[1] or b'').decode(), _QUOTES)}"
            for match in _WHITE.finditer(held, 0, end) if b"inlineStr" in held else ():
                attributes = _before(held, match.start())
                if attributes is not None:
                    yield attributes, match[1].decode()
            held = held[end:] if end else held[-_LOOK_BACK:]


def _before(held: bytes, place: int) -> bytes | None:
    """The attributes of the cell that a value at `place` is of."""
    cells = list(_CELL.finditer(held, max(0, place - _LOOK_BACK), place))
    return cells[-1][0] if cells else None


def _is_number(attributes: bytes) -> bool:
    kind = _TYPE.search(attributes)
    return kind is None or kind[1] == b"n"


def _is_lost(attributes: bytes, digits: str) -> bool:
    return _is_number(attributes) and int(float(digits)) != int(digits)


def _counted(book: zipfile.ZipFile, part: str) -> Cells:
    """As `_in_xml`, for cells that do not say where they are: each follows the one before."""
    cells: Cells = {}
    row, column = -1, -1
    with book.open(part) as stream:
        for event, element in ET.iterparse(stream, ("start", "end")):  # noqa: S314 - in a limited process
            tag = element.tag.rpartition("}")[2]
            if event == "start" and tag == "row":
                row, column = int(element.get("r") or row + 2) - 1, -1
            elif event == "end" and tag == "c":
                place = _PLACE.search(f'r="{element.get("r")}"'.encode())
                column = _column(place[1].decode()) if place else column + 1
                parts = {each.tag.rpartition("}")[2]: each.text or "" for each in element}
                value, kind = parts.get("v", ""), element.get("t", "n")
                if kind == "n" and not value.strip() and "f" in parts:
                    cells.setdefault(row, {})[column] = f"={parts['f']}"
                long = kind == "n" and re.fullmatch("-?[0-9]{16,}", value)
                if kind == "inlineStr" and (text := "".join(element.itertext())) and not text.strip(" \t\r\n"):
                    cells.setdefault(row, {})[column] = text
                if kind == "e" or (long and int(float(value)) != int(value)):
                    cells.setdefault(row, {})[column] = value
            elif event == "end" and tag == "row":
                element.clear()
    return cells


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


# --- .xls and .xlsb --------------------------------------------------------------------------------


def _errors(path: str, sheets: Sequence[str]) -> dict[str, Cells]:
    """Of binary workbooks fastexcel knows the errors."""
    import fastexcel

    try:
        reader = fastexcel.read_excel(Path(path).read_bytes())
        return {name: _errors_of(reader, name) for name in sheets if name in reader.sheet_names}
    except fastexcel.FastExcelError:
        return {}  # what is wrong with it, calamine tells


def _errors_of(reader: Any, name: str) -> Cells:
    sheet = reader.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
    _, problems = sheet.to_arrow_with_errors()
    places = [column.absolute_index for column in sheet.available_columns()]
    cells: Cells = {}
    for problem in problems.errors if problems else ():
        row, place = problem.position
        kind = re.search(r"'Error\((\w+)\)'", problem.detail)
        if kind:
            cells.setdefault(row, {})[places[place]] = _ERRORS.get(kind[1], f"#{kind[1]}")
    return cells


# --- dates of all -----------------------------------------------------------------------------------


def no_dates(path: str, sheet: str, columns: Sequence[int]) -> Cells:
    """The cells of these columns that have the format of a date and are none, as Excel has them: `1900-02-29`, `-0.5`.

    Excel's year 1900 has a 29th of February, number 60; a number below 0 it shows as `####`.
    """
    import fastexcel

    cells: Cells = {}
    try:
        reader = fastexcel.read_excel(Path(path).read_bytes())
        for place in columns:  # of a moment in a column of numbers it says that it is one, and its number
            read = reader.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="float", use_columns=[place])
            _, problems = read.to_arrow_with_errors()
            for problem in problems.errors if problems else ():
                moment = _MOMENT.search(problem.detail)
                text = _no_date(float(moment[1]), from_1904=moment[2] == "true") if moment else None
                if text is not None:
                    cells.setdefault(problem.position[0], {})[place] = text
    except fastexcel.FastExcelError:
        return {}  # what is wrong with it, calamine tells
    return cells


def _no_date(number: float, *, from_1904: bool) -> str | None:
    if number < 0:
        return str(int(number)) if number.is_integer() else repr(number)
    if from_1904 or not 60 <= number < 61:
        return None
    milliseconds = round((number - 60) * 86_400_000)
    seconds, rest = divmod(milliseconds, 1000)
    if seconds == 86_400:
        return None  # the 1st of March, but for less than calamine counts
    clock = f" {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}" + (f".{rest:03}" if rest else "")
    return f"1900-02-29{clock}"


def with_unicode(path: Path) -> io.BytesIO | None:
    r"""A `.xls` of Excel 97 or later that names an old code page, without it; None for any other file.

    Its text is Unicode whatever the page, but calamine decodes it by the page where there is one (some writers in R name
    one): `mpg` becomes `m\0p\0g\0`.
    """
    with path.open("rb") as stream:
        if stream.read(8) != b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
            return None
        content = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + stream.read())
    # BOF of the workbook's globals in BIFF8, at the start of a sector of 64 or 512 bytes.
    begin = re.search(rb"\x09\x08[\x08\x10]\x00\x00\x06\x05\x00", bytes(content))
    if begin is None or begin.start() % 64:
        return None
    place = begin.start()
    for _ in range(40):
        record, length = content[place : place + 2], int.from_bytes(content[place + 2 : place + 4], "little")
        if record == b"\x42\x00" and length == 2:
            if content[place + 4 : place + 6] == b"\xb0\x04":
                return None
            content[place + 4 : place + 6] = b"\xb0\x04"
            return io.BytesIO(content)
        if place + length + 8 > len(content):
            return None
        place += 4 + length
    return None
