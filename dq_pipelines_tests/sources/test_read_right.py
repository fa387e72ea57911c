"""Public test files that were once read wrongly: each is read right, or refused in one sentence.

What is right comes from openpyxl, xlrd and Python's csv, or from the file itself. The files are not ours; `DQ_CORPORA`
says where they lie.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dq_pipelines.errors import SourceError
from dq_pipelines.sources import read

FOLDER = Path(os.environ.get("DQ_CORPORA", "nowhere")) / "read-right"

pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason="DQ_CORPORA names no folder with the corpora"),
    pytest.mark.corpus("read-right"),
]

#: One cell as a test compares it: numbers by value, moments by their text, all else as text.
Cell = str | float | None


def plain(value: Any) -> Cell:
    """A landed value, whatever the type of its column; a moment at midnight is its date."""
    if value is None or isinstance(value, bool):
        return None if value is None else str(value).lower()
    if isinstance(value, datetime | date):
        return str(value).removesuffix(" 00:00:00")
    try:
        return float(value)
    except ValueError:
        return str(value).removesuffix(" 00:00:00")


def table(name: str, **options: Any) -> dict[str, list[Cell]]:
    """The columns of a file as plain cells; every record has to be readable."""
    kind = {".csv": "csv", ".parquet": "parquet"}.get(Path(name).suffix, "excel")
    found = read({"type": kind, "path": str(FOLDER / name), **options})
    assert found.unreadable.collect().is_empty()
    rows = found.rows.collect()
    return {column: [plain(value) for value in rows[column]] for column in rows.columns}


def test_mixed_numbers() -> None:
    found = table("mixed_numbers.xlsx")
    assert found["x"][:4] == [0.123456789012345, 3e-10, 1.23e-07, 123456789.1234568]
    assert found["x"][4] == "true"


def test_missing_words_beside_numbers_stay_text() -> None:
    assert table("temperature-fallible.xlsx")["value"] == [22.2222, 72.0, None, "N/A"]


def test_true_beside_numbers_is_no_number() -> None:
    raw = read({"type": "excel", "path": str(FOLDER / "Attendance.xlsx")}).rows.collect()
    cells = {str(value).lower() for column in raw.columns for value in raw[column]}
    assert {"true", "false"} <= cells
    assert [plain(value) for value in raw["Date"]][:2] == ["2020-10-01", "2020-10-02"]


@pytest.mark.parametrize("sheet", ["guess_me"])
def test_the_1904_system(sheet: str) -> None:
    assert table("types.xlsx", sheet=sheet)["date"][:2] == ["2017-02-27", "2017-02-28"]
    found = list(table("1904.xlsx", header_row=0).values())
    assert found[1] == ["1904-01-02", "1904-01-12", "1904-04-21", "1907-01-16", "1934-06-03"] == found[2]


def test_moments_beyond_nanoseconds() -> None:
    """9999-12-31 is read; only the row of a moment beyond microseconds is refused, with its number."""
    found = read({"type": "parquet", "path": str(FOLDER / "int96_from_spark.parquet")})
    assert [plain(value) for value in found.rows.collect()["a"]] == [
        "2024-01-01 20:34:56.123456", "2024-01-01 01:00:00", "9999-12-31 03:00:00", "2024-12-30 23:00:00", None,
    ]  # fmt: skip
    assert found.unreadable.select("_row", "_text").collect().rows() == [(6, '{"a": "361746257437964 s"}')]


def test_times_of_no_day() -> None:
    found = read({"type": "parquet", "path": str(FOLDER / "negative-timetz.parquet")})
    assert found.landed.collect().is_empty()
    refused = found.unreadable.collect()
    stored = pq.read_table(FOLDER / "negative-timetz.parquet").column("col33").cast("int32").to_pylist()
    assert [json.loads(text)["col33"] for text in refused["_text"]] == [f"{value} ms" for value in stored]
    assert all("wanted times from 00:00 to 24:00 in column 'col33'" in why for why in refused["_why"])


@pytest.mark.parametrize("name", ["bigdecimal.parquet"])
def test_types_that_nothing_holds(name: str, record_property: Callable[[str, object], None]) -> None:
    with pytest.raises(SourceError) as raised:
        table(name)
    one_sentence(raised.value, name, record_property)


def one_sentence(error: SourceError, name: str, record_property: Callable[[str, object], None]) -> None:
    """The error is one line that names the file and a column."""
    said = str(error)
    assert "\n" not in said
    assert name in said
    assert "column" in said
    record_property("clear_error", said)


def test_names_without_nul() -> None:
    found = table("mtcars.xls")
    assert list(found)[:4] == ["mpg", "cyl", "disp", "hp"]
    assert found["mpg"] == [21.0, 21.0, 22.8, 21.4, 18.7, 18.1]


def test_cells_of_a_chart_are_no_cells_of_the_sheet() -> None:
    raw = read({"type": "excel", "path": str(FOLDER / "25183.xls"), "header_row": 0}).rows.collect()
    rows = [[plain(cell) for cell in row] for row in raw.rows()]
    assert rows[0][1:5] == [0.25, 0.5, 0.75, 1.0]
    assert rows[1][:5] == [0.25, 12516.0, 20670.0, 26106.0, 29892.0]


def test_rows_without_values_are_no_rows() -> None:
    raw = read({"type": "excel", "path": str(FOLDER / "44891.xls"), "sheet": "ASISTENCIA"}).rows.collect()
    assert all(any(cell is not None and str(cell).strip() for cell in row) for row in raw.rows())
    assert raw.height < 100


def test_formats_with_colours_and_conditions_are_numbers() -> None:
    raw = read({"type": "excel", "path": str(FOLDER / "NumberFormatCondition.xls"), "header_row": 0}).rows.collect()
    rows = [[plain(cell) for cell in row] for row in raw.rows()]
    assert rows[:4] == [[50.0] * 4, [26.0, 26.0, 51.0, 51.0], [25.0, 25.0, 49.0, 49.0], [1.0, 1.0, None, None]]


def test_cells_of_many_lines() -> None:
    found = table("issue-1066-largecellsize.csv")
    assert list(found) == ["Description", "status"]
    assert len(found["status"]) == 19


@pytest.mark.parametrize("options", [{}, {"escape": "\\", "quote": "", "header_rows": 0}], ids=["untold", "told"])
def test_newlines_escaped_by_a_backslash(options: Mapping[str, Any]) -> None:
    found = table("human_eval.csv", **options)
    assert len(found) == 5
    assert len(next(iter(found.values()))) in (9, 10)


def test_a_header_that_is_one_name_short() -> None:
    found = table("ResultsOR30x100-0.25_5.dat__m28.csv")
    lines = (FOLDER / "ResultsOR30x100-0.25_5.dat__m28.csv").read_text(encoding="utf-8").splitlines()
    assert len(found) == lines[1].count(";") + 1
    assert len(next(iter(found.values()))) == len([line for line in lines if line.strip()]) - 1


def test_a_small_workbook_that_takes_long_to_open() -> None:
    assert table("56295.xlsx") == {"Pet": ["Cat", "Dog"], "Name": ["Homer", "Johnny"], "Owner": ["Nestor", "Martha"]}
