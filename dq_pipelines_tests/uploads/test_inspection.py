"""What uploaded files hold, hostile ones among them; each is looked at in a process of its own."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from dq_pipelines.errors import ConfigError, SourceError
from dq_pipelines.uploads.isolated import WorkLimits, run_isolated

EXCEL = Path(os.environ.get("DQ_CORPORA", "nowhere")) / "excel"
#: Small enough for a test to wait for.
LITTLE = WorkLimits(memory=3 << 30, cpu=20, clock=60)


def inspected(path: Path, limits: WorkLimits = WorkLimits(), **options: Any) -> dict[str, Any]:  # noqa: B008 - frozen
    asked = {
        "path": str(path),
        "name": path.name,
        "folder": "shop",
        "table": "stock",
        "options": options,
        "settings": {},
    }
    return run_isolated("inspect", asked, limits)


def messy(path: Path) -> Path:
    """A cover sheet, and a sheet with titles above its header and a total below its rows."""
    book = openpyxl.Workbook()
    cover = book.active
    assert cover is not None
    cover.title, cover["A1"] = "Cover", "Quarterly report"
    data = book.create_sheet("Data")
    data.append(["Stock of the yard"])
    data.append(["printed", "2026-11-01"])
    data.append([])
    data.append(["Id", "Item", "Count", "Price"])
    for number in range(1, 61):
        data.append([number, ["bolt", "nut", "washer"][number % 3], number % 17, number * 1.5])
    data.append(["Total", None, 480, None])
    book.save(path)
    return path


def test_the_table_of_a_messy_workbook_is_found(tmp_path: Path) -> None:
    found = inspected(messy(tmp_path / "stock.xlsx"))
    assert (found["sheets"], found["sheet"], found["header_row"]) == (["Cover", "Data"], "Data", 4)
    assert found["columns"] == ["Id", "Item", "Count", "Price"]
    assert found["first_rows"][0] == {"number": 1, "cells": ["Stock of the yard", "", "", ""]}
    assert (found["rows"], found["preview"][0]) == (61, ["1", "nut", "1", "1.5"])
    assert 'path: "${DQ_LANDING}/shop/stock/*.xlsx", sheet: Data, header_row: 4' in found["yaml"]
    assert {view["name"]: view["type"] for view in found["profile"]}["Price"] == "float64"


def test_what_the_user_chooses_counts(tmp_path: Path) -> None:
    path = messy(tmp_path / "stock.xlsx")
    assert inspected(path, sheet="Data", header_row=5)["columns"] == ["1", "nut", "1_2", "1.5"]
    assert inspected(path, sheet="Data", header_row=0)["columns"][0] == "column_1"
    with pytest.raises(ConfigError, match="wanted one of Cover, Data, got 'Dat'"):
        inspected(path, sheet="Dat")
    with pytest.raises(ConfigError, match="delimiter: wanted none"):
        inspected(path, delimiter=";")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", "Report\nid;name\n1;ä\n2;b\n3;c\n".encode("latin-1"), (";", 2, ["id", "name"])),
        ("a.tsv", b"id\tname\n1\ta\n2\tb\n", ("\t", 1, ["id", "name"])),
        ("a.csv", "\ufeffid,name\n1,a\n2,b\n".encode("utf-16"), (",", 1, ["id", "name"])),
    ],
)
def test_text_is_told_with_its_delimiter_and_its_header(
    tmp_path: Path, name: str, content: bytes, told: tuple[str, int, list[str]]
) -> None:
    (tmp_path / name).write_bytes(content)
    found = inspected(tmp_path / name)
    assert (found["delimiter"], found["header_row"], found["columns"]) == told


def test_text_is_read_as_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("note\nid|x,name\n1|2,a\n3|4,b\n")
    found = inspected(tmp_path / "a.csv", delimiter="|", header_row=2)
    assert (found["columns"], found["rows"]) == (["id", "x,name"], 2)
    assert "skip_rows: 1" in found["yaml"]


def test_json_and_parquet_are_told_as_well(tmp_path: Path) -> None:
    pl.DataFrame({"id": [1, 2], "name": ["a", "b"]}).write_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.json").write_text('[{"id": 1, "name": "a"}, {"id": 2}]')
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n{"id": 2}\nnot json\n')
    assert inspected(tmp_path / "a.parquet")["columns"] == ["id", "name"]
    assert inspected(tmp_path / "a.json")["rows"] == 2
    lines = inspected(tmp_path / "a.jsonl")
    assert (lines["kind"], lines["rows"], lines["unreadable"]["count"]) == ("ndjson", 2, 1)


def test_an_ending_in_capitals_is_an_ending(tmp_path: Path) -> None:
    (tmp_path / "A.CSV").write_text("id,name\n1,a\n2,b\n")
    assert "/shop/stock/*.CSV" in inspected(tmp_path / "A.CSV")["yaml"]


@pytest.mark.slow
def test_more_columns_than_a_yaml_may_have_are_said(tmp_path: Path) -> None:
    names = ",".join(f"{'c' * 150}{number}" for number in range(1000))
    (tmp_path / "a.csv").write_text(f"{names}\n{','.join(['1'] * 1000)}\n{','.join(['2'] * 1000)}\n")
    with pytest.raises(SourceError, match="wanted a table whose YAML has at most 262,144 bytes, got 1,000 columns"):
        inspected(tmp_path / "a.csv")


def bomb(path: Path) -> Path:
    """A workbook of a few kilobytes that unpacks to gigabytes."""
    book = openpyxl.Workbook()
    packed = io.BytesIO()
    book.save(packed)
    with zipfile.ZipFile(packed) as before, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            if name != "xl/worksheets/sheet1.xml":
                after.writestr(name, before.read(name))
        with after.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(
                b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">'
            )
            cells = b'<c r="A1" t="inlineStr"><is><t>' + b"x" * (1 << 20) + b"</t></is></c>"
            for _ in range(900):
                sheet.write(cells)
            sheet.write(b"</row></sheetData></worksheet>")
    return path


def far_corner(path: Path) -> Path:
    """A cell in the last row of the last column."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"], book.active["XFD1048576"] = "id", 1
    book.save(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("made", [bomb, far_corner])
def test_a_small_workbook_that_needs_gigabytes_is_refused(tmp_path: Path, made: Any) -> None:
    with pytest.raises(SourceError, match=r"x\.xlsx: wanted"):
        inspected(made(tmp_path / "x.xlsx"), LITTLE)


@pytest.mark.slow
def test_a_line_of_200_megabytes_ends_in_a_sentence(tmp_path: Path) -> None:
    with (tmp_path / "x.csv").open("wb") as stream:
        for _ in range(200):
            stream.write(b"x" * 1_000_000)
    try:
        found = inspected(tmp_path / "x.csv", LITTLE)
    except SourceError as error:
        assert str(error).startswith("x.csv: wanted")  # noqa: PT017 - either answer is one
    else:
        assert len(str(found)) < 100_000


@pytest.mark.slow
@pytest.mark.skipif(not EXCEL.is_dir(), reason="DQ_CORPORA names no folder with the corpora")
def test_every_workbook_of_the_corpus_is_told_or_refused_in_a_sentence() -> None:
    for path in sorted(EXCEL.iterdir()):
        if path.suffix in (".xlsx", ".xls", ".ods"):
            try:
                found = inspected(path)
            except (SourceError, ConfigError) as error:
                assert "\n" not in str(error), path  # noqa: PT017
                assert "cannot be looked at" not in str(error), path  # noqa: PT017
                assert str(path.parent) not in str(error), path  # noqa: PT017
            else:
                assert found["columns"], path


def test_too_little_memory_and_time_are_said(tmp_path: Path) -> None:
    path = messy(tmp_path / "stock.xlsx")
    with pytest.raises(SourceError, match="got one that needs more"):
        inspected(path, WorkLimits(cpu=0))
    with pytest.raises(SourceError, match=r"takes over 0\.1 seconds"):
        inspected(path, WorkLimits(clock=0.1))


def test_an_encoding_that_was_guessed_is_written_down(tmp_path: Path) -> None:
    rows = "".join(f"{number};Größe {number};Münch\u20acn\n" for number in range(40))
    for encoding, declared in (("cp1252", True), ("utf-8", False), ("utf-8-sig", False)):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(f"id;name;city\n{rows}".encode(encoding))
        found = inspected(path)
        assert found["unreadable"]["count"] == 0
        assert ("encoding: " in found["yaml"]) is declared, found["yaml"]
