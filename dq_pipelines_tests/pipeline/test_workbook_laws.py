"""The laws of a workbook: what nobody has changed is unchanged, and of what somebody changes exactly that is."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape
from python_calamine import CalamineWorkbook

from dq_pipelines.pipeline.exchange.corrections_exchange import ReturnedFile, export, import_corrections
from dq_pipelines.pipeline.exchange.workbook import Layout, Refusal, text_of
from dq_pipelines.pipeline.exchange.workbook_files import read_book, write_book
from dq_pipelines.pipeline.exchange.workbook_text import cell_of, fits_a_sheet, sheet_cell_of, sheet_value_of, value_of
from dq_pipelines.pipeline.exchange.workbook_xlsx import read_xlsx
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines_tests.workshop import Workshop

ODD = [
    "", "'", "''", "'=", "=1+1", "'x", " lead", "trail ", " ", "\t", "\n", "a\r\nb\rc\nd", "0012", "1e5", "2026-02-28", "TRUE", "#N/A",
    "\x00", "\x01\x08\x0b\x0c\x0e\x19\x1a\x1b\x1f", "\x7f\x80\x85\x9f", "\u2028\ufeff", "\ufffe", "\uffff", "a\uffffb",
    "_x0041_", "_x005F_", "_x005F_x0041_", "__x0041_x0042_", "_xFFFF_", "_x005F_xFFFF_", "_xffff_", "_x000D_", "_x", "_x00G1_",
    "<&>\"'", "]]>", "😀", "12345678901234567890", "0.1", "a,b;c", '"', '""', "-5", "+5", "@x", "x" * 32_767,
]  # fmt: skip
TEXTS = (
    st.none() | st.sampled_from(ODD) | st.text(max_size=12) | st.from_regex(r"(_x[0-9A-F]{4}_?){1,3}", fullmatch=True)
)
NAMES = ["id", "odd \x1a_x0041_\uffff", "=name"]
LAYOUT = Layout("silver/t", NAMES, frozenset(NAMES))
ENDINGS = pytest.mark.parametrize("ending", [".csv", ".xlsx"])


def refusals(rows: Sequence[Sequence[str | None]]) -> list[Refusal]:
    """Rows with their own texts as reasons too."""
    cells = [dict(zip(NAMES, row, strict=True)) for row in rows]
    return [
        Refusal(f"b:a.csv:{n}", each, f"s\x1b{n}", n, f"why {row[1]}", {NAMES[1]: f"{row[2]}"})
        for n, (each, row) in enumerate(zip(cells, rows, strict=True), start=2)
    ]


@given(TEXTS)
def test_a_cell_says_its_value(value: str | None) -> None:
    assert value_of(cell_of(value)) == value
    if fits_a_sheet(value):
        assert sheet_value_of(sheet_cell_of(value)) == value


def touched(path: Path) -> dict[int, dict[str, str | None]]:
    """By row of the file, the cells that were changed, and their values now."""
    book = read_book(path)
    assert all(line.exported is not None for line in book.rows)
    return {
        line.at: {name: book.value(text_of(content)) for name, content in line.cells.items()}
        for line in book.rows
        if line.cells
    }


def whole(path: Path) -> list[list[str | None]]:
    """The values of the columns that may be mended, read as a file that does not say what was exported."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            lines = [line[2:5] for line in csv.reader(file)]
        return [[value_of(cell) for cell in line] for line in lines[1:]]
    return [[sheet_value_of(str(cell)) for cell in line[2:5]] for line in read_xlsx(path)[1][1:]]


@settings(deadline=None, max_examples=25)
@given(rows=st.lists(st.lists(TEXTS, min_size=3, max_size=3), min_size=1, max_size=4))
@example([[None, "", "x"], ["\x1a", "\uffff_xFFFF_", "_x0041_\r"], [" ", "\x00", "'"]])
def test_what_nobody_changed_comes_back(rows: list[list[str | None]]) -> None:
    for ending in (".csv", ".xlsx"):
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"out{ending}"
            write_book(path, LAYOUT, refusals(rows), len(rows))
            book = read_book(path)
            assert touched(path) == {}
            assert whole(path) == rows
            assert (book.notes, [line.id for line in book.rows]) == ((), [f"b:a.csv:{n + 2}" for n in range(len(rows))])


def test_two_other_readers_see_the_same() -> None:
    """Openpyxl and calamine read the sheet that is written without either of them; reasons and names are in it, too."""
    rows = [[text, text, text] for text in ODD]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "out.xlsx"
        write_book(path, LAYOUT, refusals(rows), len(rows))
        sheet = load_workbook(path).worksheets[0]
        # openpyxl leaves it to its caller to take escapes off.
        seen = [[unescape(str(cell.value or "")) for cell in row] for row in sheet.iter_rows(min_col=3, max_col=5)]
        assert seen == [[sheet_cell_of(value) for value in row] for row in [NAMES, *rows]]
        other = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
        blank = [number for number, line in enumerate(other) if not str(line[2]).strip(" \t\n")]  # it cuts such cells
        assert [line[2:5] for number, line in enumerate(other) if number not in blank] == [
            line for number, line in enumerate(seen) if number not in blank
        ]
        assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value is not None} <= {"s"}
        assert all(cell.comment is not None for cell in sheet["D"][1:])
        assert sheet.max_row == len(ODD) + 1


@settings(deadline=None, max_examples=15)
@given(row=st.integers(0, 2), place=st.integers(0, 2), value=TEXTS.filter(lambda text: text != "kept"))
def test_a_change_is_this_change_alone(row: int, place: int, value: str | None) -> None:
    for ending in (".csv", ".xlsx"):
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"out{ending}"
            write_book(path, LAYOUT, refusals([["kept"] * 3] * 3), 3)
            change(path, row + 2, place + 3, value)
            assert touched(path) == {row + 2: {NAMES[place]: value}}


def change(path: Path, row: int, column: int, value: str | None) -> None:
    """Write a value into a cell, as a spreadsheet does that saves all others as they are."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file))
        lines[row - 1][column - 1] = cell_of(value)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(lines)
        return
    book = load_workbook(path)
    text = "".join(f"_x{ord(one):04X}_" if one < " " or one == "_" else one for one in sheet_cell_of(value))
    book.worksheets[0].cell(row, column).value = None if value is None else text
    book.worksheets[0].cell(row, column).data_type = "s"
    book.save(path)


THINGS = """
    source: {type: parquet, path: "{landing}/things/*.parquet"}
    silver:
      columns: {id: int64, text: string}
      rules: [{type: expect_column_values_to_be_in_set, column: id, value_set: [0]}]
"""


@pytest.mark.slow
@ENDINGS
def test_through_the_lake(shop: Workshop, ending: str) -> None:
    """Landed, refused, exported, not changed, imported: nothing. Then each text becomes another one."""
    texts = [*ODD, "y" * 40_000, None]
    shop.table("things", THINGS)
    (shop.landing / "things").mkdir(parents=True)
    pl.DataFrame({"id": range(1, len(texts) + 1), "text": texts}).write_parquet(shop.landing / "things/a.parquet")
    assert shop.run("things").success
    work, path = TableRun(shop.project.tables["things"], shop.lake), shop.root / f"things{ending}"
    assert export(work, path) == len(texts)
    before = shop.versions()
    done = import_corrections(work, ReturnedFile.read(path), by="ann")
    assert (done.replayed.published, done.problems, done.notes, done.settled) == ((), (), (), 0)
    assert shop.versions() == before

    wishes: list[str | None] = ["\x1a_x0041_", None, "", "'", " 0012 "]
    for row, wish in enumerate(wishes, start=2):
        change(path, row, 3, "0")
        change(path, row, 4, wish)
    done = import_corrections(work, ReturnedFile.read(path), by="ann")
    assert done.problems == ()
    assert sorted(shop.rows("silver/things", "id", "text"), key=repr) == sorted(
        [(0, wish) for wish in wishes], key=repr
    )
