"""Workbooks: the right sheet, rows and types, nothing lost, and no harm from a hostile one."""

from __future__ import annotations

import datetime as dt
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from dq_pipelines.errors import SourceError
from dq_pipelines.sources import read
from dq_pipelines.sources.excel import list_sheets

NOON = dt.datetime(2024, 1, 2, 12)  # noqa: DTZ001 - workbooks know no time zone


def workbook(path: Path, sheets: Mapping[str, Sequence[Sequence[Any]]], *, at: tuple[int, int] = (1, 1)) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for down, row in enumerate(rows):
            for right, value in enumerate(row):
                if value is not None:
                    sheet.cell(at[0] + down, at[1] + right, value)
    book.save(path)
    return path


def edited(path: Path, old: bytes, new: bytes, most: int = -1) -> None:
    with zipfile.ZipFile(path) as book:
        members = {name: book.read(name) for name in book.namelist()}
    with zipfile.ZipFile(path, "w") as book:
        for name, content in members.items():
            book.writestr(name, content.replace(old, new, most) if name.endswith("sheet1.xml") else content)


def landed(path: Path, **options: Any) -> pl.DataFrame:
    return read({"type": "excel", "path": str(path), **options}).landed.drop("_source").collect()


def test_cells_keep_their_types_and_mixed_columns_are_text(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["n", "when", "yes", "mixed", "n", None],
        [1, NOON, True, 1, "a", 5],
        [None] * 6,
        [2.5, None, False, "x", None, None],
    ]
    found = landed(workbook(tmp_path / "x.xlsx", {"S": rows}, at=(3, 2)))
    assert found.columns == ["n", "when", "yes", "mixed", "n_2", "column_7", "_row"]
    assert found.rows() == [(1.0, NOON, True, "1", "a", 5.0, 4), (2.5, None, False, "x", None, None, 6)]


def test_an_error_cell_stays_as_it_is_shown(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["a", "b"], [1.5, 1], [777, 2]]
    path = workbook(tmp_path / "x.xlsx", {"S": rows})
    edited(path, b'<c r="A3" t="n"><v>777</v></c>', b'<c r="A3" t="e"><v>#N/A</v></c>')
    assert landed(path).rows() == [("1.5", 1.0, 2), ("#N/A", 2.0, 3)]


def test_sheets_by_name_place_or_all(tmp_path: Path) -> None:
    sheets: dict[str, list[list[Any]]] = {"One": [["a"], [1]], "Two": [["b", "a"], ["x", "text"]], "Empty": []}
    path = workbook(tmp_path / "x.xlsx", sheets)
    assert list_sheets(path) == ["One", "Two", "Empty"]
    assert landed(path).rows() == [(1.0, 2)]
    assert landed(path, sheet="Two").rows() == landed(path, sheet=1).rows() == [("x", "text", 2)]
    both = landed(path, sheet="all")
    assert both.columns == ["a", "_sheet", "b", "_row"]
    assert both.rows() == [("1", "One", None, 2), ("text", "Two", "x", 2)]
    assert landed(path, sheet="Empty").is_empty()
    with pytest.raises(SourceError, match=r"wanted the sheet 'Tow', got 'One', 'Two', 'Empty' \(nearest: Two\)"):
        landed(path, sheet="Tow")
    with pytest.raises(SourceError, match="wanted sheet 3"):
        landed(path, sheet=3)


@pytest.mark.parametrize(
    ("options", "columns", "rows"),
    [
        ({}, ["title", "column_2"], [("k", "v", 3), ("1", "2", 4), ("3", "4", 5)]),
        ({"header_row": 3}, ["k", "v"], [(1.0, 2.0, 4), (3.0, 4.0, 5)]),
        (
            {"header_row": 0},
            ["column_1", "column_2"],
            [("title", None, 1), ("k", "v", 3), ("1", "2", 4), ("3", "4", 5)],
        ),
        ({"range": "A3:B4"}, ["k", "v"], [(1.0, 2.0, 4)]),
        ({"range": "B4:B9", "header_row": 0}, ["column_2"], [(2.0, 4), (4.0, 5)]),
        ({"range": "B2:B9", "header_row": 2}, ["v"], [(2.0, 4), (4.0, 5)]),
    ],
)
def test_header_and_range(tmp_path: Path, options: dict[str, Any], columns: list[str], rows: list[Any]) -> None:
    path = workbook(tmp_path / "x.xlsx", {"S": [["title"], [], ["k", "v"], [1, 2], [3, 4]]})
    found = landed(path, **options)
    assert (found.columns, found.rows()) == ([*columns, "_row"], rows)


@pytest.mark.slow
def test_a_large_workbook_whose_rows_begin_late(tmp_path: Path) -> None:
    # More rows than are put on disk at a time.
    rows: list[list[Any]] = [["n", "t"], *([number, f"text {number}"] for number in range(70_000))]
    path = workbook(tmp_path / "x.xlsx", {"S": rows}, at=(3, 1))
    found = landed(path)
    assert found.schema["n"] == pl.Float64
    assert found["n"].to_list() == list(range(70_000))
    assert found["_row"].to_list() == list(range(4, 70_004))


@pytest.mark.parametrize("kind", ["SYSTEM 'file://{secret}'", "'{long}'"])
def test_entities_of_a_workbook_are_not_expanded(tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret").write_text("of the server's own")
    path = workbook(tmp_path / "x.xlsx", {"S": [["a"], [1]]})
    told = kind.format(secret=tmp_path / "secret", long="of the server's own".replace("'", ""))
    edited(path, b"<worksheet", f"<!DOCTYPE w [<!ENTITY x {told}>]><worksheet".encode(), most=1)
    edited(path, b'<c r="A2" t="n"><v>1</v></c>', b'<c r="A2" t="inlineStr"><is><t>&x;</t></is></c>')
    with zipfile.ZipFile(path) as book:
        assert b"<t>&x;</t>" in book.read("xl/worksheets/sheet1.xml")
    try:
        found = str(landed(path).rows())
    except SourceError as error:
        found = str(error)
    assert "own" not in found


def test_a_hostile_workbook_is_refused_in_time(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", {"S": [["a"], [1]]})
    far = b'<row r="1048576"><c r="XFD1048576"><v>5</v></c></row></sheetData>'  # 17 billion cells between
    edited(path, b"</sheetData>", far)
    start = time.monotonic()
    with pytest.raises(SourceError, match=r"wanted a workbook that opens within 769 MiB, got: .*memory"):
        landed(path)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("content", [b"", b"no workbook", b"PK\x03\x04 cut off"])
@pytest.mark.parametrize("name", ["x.xlsx", "x.xls", "x.ods", "x.xlsb"])
def test_what_is_no_workbook_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=f"{name}: wanted a workbook, got"):
        landed(tmp_path / name)


def test_a_workbook_under_another_ending_is_read_by_what_it_is(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", {"S": [["a"], [1]]})
    assert landed(path.rename(tmp_path / "x.xls")).rows() == [(1.0, 2)]
