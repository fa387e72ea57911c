"""The formula guard: no exported cell is computed by a spreadsheet, and an import gets back what was exported."""

from __future__ import annotations

import ast
import csv
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl import load_workbook

import dq_pipelines
from dq_pipelines.pipeline.exchange.formula_guard import guarded, unguarded
from dq_pipelines.pipeline.exchange.workbook import Layout, Refusal, text_of
from dq_pipelines.pipeline.exchange.workbook_checksums import CHECKSUM_COLUMN
from dq_pipelines.pipeline.exchange.workbook_files import read_book, write_book

#: Texts that a spreadsheet computes, and texts that look as if they had been guarded before.
FORMULAS = [
    "=1+1", "+1+1", "-1-1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", "\uff1d1+1", "=cmd|' /C calc'!A0", "'=1+1", "''-x", "-", "=",
    '=HYPERLINK("http://127.0.0.1/?"&A1)', "-5+cmd", "+1e5x",
]  # fmt: skip
HARMLESS = ["", "a=1", "-5", "+3.25", "-1e10", "1-2", " =1", "'", "'a", "north"]
_BEGINNINGS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_a_text(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", HARMLESS)
def test_other_texts_and_numbers_stay_as_they_are(text: str) -> None:
    assert guarded(text) == text


@given(st.text() | st.from_regex(r"'*[=+\-@\t\r\n].*", fullmatch=True))
@example("''=")
def test_every_text_comes_back(text: str) -> None:
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_no_cell_of_an_export_begins_a_formula_not_even_in_the_header(tmp_path: Path, ending: str) -> None:
    path, names = tmp_path / f"refused{ending}", [f"{text}{number}" for number, text in enumerate(FORMULAS)]
    cells = [
        dict.fromkeys(names, None) | dict(zip(names, row, strict=True)) for row in (FORMULAS, HARMLESS + FORMULAS[10:])
    ]
    rows = [Refusal(f"={n}", row, "=source", n, f"{names[0]}: @why", {names[0]: "=why"}) for n, row in enumerate(cells)]
    write_book(path, Layout("silver/=t", names, frozenset(names)), rows, len(rows))
    for line in lines_of(path):
        for cell in line:
            number = cell.lstrip("+-").replace(".", "").replace("e", "").isdigit()
            assert number or not cell.startswith(_BEGINNINGS), cell
    came = read_book(path)
    assert [line.id for line in came.rows] == ["=0", "=1"]
    assert [line.cells for line in came.rows] == [{}, {}], "nothing was changed"
    # Of a file that does not say what it was, all cells are read.
    columns = [column for column in came.head if column != CHECKSUM_COLUMN]
    old = without(path, len(columns))
    assert [
        {name: read_book(old).value(text_of(line.cells[name])) for name in names} for line in read_book(old).rows
    ] == cells


def without(path: Path, width: int) -> Path:
    """The file without its columns after so many."""
    if path.suffix == ".csv":
        lines = [line[:width] for line in lines_of(path)]
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(lines)
    else:
        book = load_workbook(path)
        book.worksheets[0].delete_cols(width + 1)
        book.save(path)
    return path


def lines_of(path: Path) -> list[list[str]]:
    """What other readers make of the file: Python's csv module, and openpyxl with its formulas."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))
    sheets = load_workbook(path).worksheets
    cells = [cell for sheet in sheets for row in sheet.iter_rows() for cell in row]
    assert [cell.value for cell in cells if cell.data_type == "f"] == []
    return [[str(cell.value)] for cell in cells if cell.value is not None]


def test_one_file_writes_what_a_spreadsheet_opens() -> None:
    root = Path(dq_pipelines.__file__).parent
    writers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) in ("csv.writer", "csv.DictWriter"))
        or (isinstance(node, ast.Attribute) and node.attr in ("write_csv", "to_csv", "write_excel", "to_excel"))
        or (isinstance(node, ast.alias) and node.name == "Workbook")
    }
    assert writers == {
        "pipeline/exchange/workbook_files.py",
        "pipeline/exchange/workbook_xlsx.py",
        "samples/landing.py",
    }, "an export guards its cells: see pipeline/exchange/formula_guard.py"
