"""Cells of workbooks: each lands with all that it says, as openpyxl and xlrd read it too."""

from __future__ import annotations

import datetime as dt
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
import xlrd
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.sources import excel, read
from dq_pipelines.transforms.casting import typed
from dq_pipelines.transforms.types import dtype_of
from dq_pipelines_tests.sources.test_excel import NOON, edited, landed, workbook

DAY = dt.datetime(2024, 1, 2)  # noqa: DTZ001 - workbooks know no time zone
TEXTS = [
    (3e-10, "3e-10"),
    (0.123456789012345, "0.123456789012345"),
    (123456789.1234568, "123456789.1234568"),
    (1001, "1001"),
    (-7.0, "-7"),
    (2.5, "2.5"),
    (1e300, "1e+300"),
    (True, "true"),
    (False, "false"),
    ("N/A", "N/A"),
    ("NA", "NA"),
    ("NULL", "NULL"),
    ("#N/A", "#N/A"),
    ("0123", "0123"),
    (DAY, "2024-01-02 00:00:00"),
    (dt.datetime(2024, 1, 2, 3, 4, 5, 678000), "2024-01-02 03:04:05.678000"),  # noqa: DTZ001
    (dt.time(10, 30), "10:30:00"),
    (dt.time(0, 0), "00:00:00"),
    (dt.timedelta(hours=34, minutes=30), "34:30:00"),
    (dt.timedelta(minutes=5, milliseconds=250), "00:05:00.250000"),
]


def test_a_formula_that_was_never_calculated_is_its_text(tmp_path: Path) -> None:
    """Openpyxl stores no values; calamine ends a sheet with its last value, and shows such cells as empty."""
    formula = '=IF(A3>1,"x & y",2)'
    path = workbook(tmp_path / "x.xlsx", {"S": [["total", "id"], ["=1+1"], [3], [formula], [None, None, "=2"]]})
    found = landed(path)
    assert found["total"].to_list() == ["=1+1", "3", formula, None]
    assert found["column_3"].to_list() == [None, None, None, "=2"]
    assert landed(workbook(tmp_path / "y.xlsx", {"S": [["a"], ["=1"], ["=2"]]}))["a"].to_list() == ["=1", "=2"]


def test_beside_text_each_cell_keeps_all_that_it_says(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", {"S": [["a"], ["text"], *([value] for value, _ in TEXTS)]})
    assert landed(path)["a"].to_list() == ["text", *(text for _, text in TEXTS)]


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ([1001, 2.5, None], [1001.0, 2.5, None]),
        ([1, "N/A", None], ["1", "N/A", None]),
        ([1, True], ["1", "true"]),
        ([DAY, dt.datetime(2024, 1, 2, 12)], [DAY, dt.datetime(2024, 1, 2, 12)]),  # noqa: DTZ001
        ([DAY, 5], ["2024-01-02 00:00:00", "5"]),
        ([dt.time(1, 2), dt.time(3, 4, 5)], ["01:02:00", "03:04:05"]),
        ([dt.timedelta(hours=30), dt.timedelta(0)], ["30:00:00", "00:00:00"]),
        ([True, None, False], [True, None, False]),
    ],
)
def test_a_column_is_of_the_type_that_all_its_cells_have(tmp_path: Path, cells: list[Any], wanted: list[Any]) -> None:
    path = workbook(tmp_path / "x.xlsx", {"S": [["a", "row"], *([cell, "x"] for cell in cells)]})
    assert landed(path)["a"].to_list() == wanted


def test_a_header_of_numbers_and_dates_is_written_as_its_cells_are(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", {"S": [[2024, 2.5, DAY, True, "a\nb", " A  B "], [1, 2, 3, 4, 5, 6]]})
    assert landed(path).columns[:-1] == ["2024", "2.5", "2024-01-02 00:00:00", "true", "a b", "A B_2"]


#: Formats that mention d, m, y, h or s without being one of a date, and some that are.
NUMBERS = [
    "General", "[Red]General", "General;[Red]-General", "[Magenta]0", '"day "0', "0\\d", "0_d", '0 "hours"', "[$USD] 0",
    "[$SEK-41D] #,##0", '#,##0.00\\ "zł"', '[>100]0"big";[Red]0', "0.00E+00", "[DBNum1]General", "[$-409]0", "# ?/?",
]  # fmt: skip
DATES = ["yyyy-mm-dd", "[$-409]d-mmm-yy", "dd/mm", "[Blue]yyyy", "yyyy\\-mm\\-dd;@", 'yyyy"年"m"月"', "h:mm AM/PM"]


def test_only_formats_of_dates_make_dates(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    formats = [*NUMBERS, *DATES, "[h]:mm", "[mm]:ss"]
    for place, number_format in enumerate(formats, 1):
        sheet.cell(1, place, str(place))
        sheet.cell(2, place, 45292.5).number_format = number_format
    book.save(tmp_path / "x.xlsx")
    noon = dt.datetime(2024, 1, 1, 12)  # noqa: DTZ001
    wanted = [45292.5] * len(NUMBERS) + [noon] * len(DATES) + ["1087020:00:00"] * 2
    assert landed(tmp_path / "x.xlsx").drop("_row").row(0) == tuple(wanted)


def test_a_workbook_of_1904_has_its_dates(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    for value in ("a", DAY, dt.datetime(1904, 1, 2, 6)):  # noqa: DTZ001
        book.worksheets[0].append([value])
    book.save(tmp_path / "x.xlsx")
    assert landed(tmp_path / "x.xlsx")["a"].to_list() == [DAY, dt.datetime(1904, 1, 2, 6)]  # noqa: DTZ001


#: Numbers in a cell with the format of a date, and what lands of them in the systems of 1900 and 1904.
SERIALS = [
    (-1, "-1", "-1"),
    (-0.5, "-0.5", "-0.5"),
    (0, "00:00:00", "00:00:00"),
    (0.5, "12:00:00", "12:00:00"),
    (59, "1900-02-28 00:00:00", "1904-02-29 00:00:00"),
    (60, "1900-02-29 00:00:00", "1904-03-01 00:00:00"),
    (60.75, "1900-02-29 18:00:00", "1904-03-01 18:00:00"),
    (61, "1900-03-01 00:00:00", "1904-03-02 00:00:00"),
    (45293, "2024-01-02 00:00:00", "2028-01-03 00:00:00"),
]


@pytest.mark.parametrize("from_1904", [False, True])
def test_a_date_that_no_calendar_has_is_no_other_date(tmp_path: Path, from_1904: bool) -> None:
    book = openpyxl.Workbook()
    if from_1904:
        book.epoch = CALENDAR_MAC_1904
    sheet = book.worksheets[0]
    sheet.append(["number", "date", "duration"])
    for row, (serial, *_) in enumerate(SERIALS, 2):
        for column, number_format in enumerate(("0.00", "yyyy-mm-dd", "[h]:mm"), 1):
            sheet.cell(row, column, serial).number_format = number_format
    book.save(tmp_path / "x.xlsx")
    found = landed(tmp_path / "x.xlsx")
    assert found["number"].to_list() == [float(serial) for serial, *_ in SERIALS]
    assert found["date"].to_list() == [texts[from_1904] for _, *texts in SERIALS]
    assert found["duration"].to_list()[:2] == ["-24:00:00", "-12:00:00"]
    rows = found.select(value=typed(pl.col("date"), pl.String(), dtype_of("datetime")))["value"].to_list()
    refused = 4 if from_1904 else 6
    assert rows.count(None) == refused, "times of day, numbers and the day that never was are refused"


@pytest.mark.parametrize("with_places", [True, False])
def test_an_error_and_a_long_integer_stay_as_they_stand(tmp_path: Path, with_places: bool) -> None:
    rows: list[list[Any]] = [["a", "b", "c"], [1.5, 101, "x"], [777, 102, "y"], [None, 103, "z"]]
    path = workbook(tmp_path / "x.xlsx", {"S": rows})
    edited(path, b'<c r="A3" t="n"><v>777</v></c>', b'<c r="A3" t="e"><v>#DIV/0!</v></c>')
    edited(path, b"<v>102</v>", b"<v>12345678901234567</v>")
    if not with_places:
        for place in (b"A1", b"B1", b"C1", b"A2", b"B2", b"C2", b"A3", b"B3", b"C3"):
            edited(path, b' r="' + place + b'"', b"")
    found = landed(path)
    assert found.rows() == [("1.5", "101", "x", 2), ("#DIV/0!", "12345678901234567", "y", 3), (None, "103", "z", 4)]


def test_an_integer_that_a_float_keeps_is_a_number_however_long(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", {"S": [["a"], [101]]})
    edited(path, b"<v>101</v>", b"<v>12345678901234568</v>")
    assert landed(path).rows() == [(12345678901234568.0, 2)]


def test_rows_and_columns_that_are_only_formatted_do_not_land(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", {"S": [["a"], [1], ["gone"], [2]]})
    book = openpyxl.load_workbook(path)
    book.worksheets[0]["A3"].value = None
    for row in range(3, 50):
        book.worksheets[0].cell(row, 4).number_format = "0.00"
    book.save(path)
    assert landed(path).rows() == [(1.0, 2), (2.0, 4)]


def test_a_text_of_white_space_is_kept(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", {"S": [["a", "b"], ["x", " "], [" ", "y"], ["  ", " "]]})
    assert landed(path).rows() == [("x", " ", 2), (" ", "y", 3), ("  ", " ", 4)]
    edited(path, b' r="B2"', b"")
    assert landed(path)["b"].to_list() == [" ", "y", " "]


CELLS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=5).filter(
        lambda text: not text.startswith("=") and text not in openpyxl.cell.cell.ERROR_CODES
    )
)


@pytest.mark.slow  # a process for each example
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6))
def test_any_cells_land_as_openpyxl_has_them(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, Any]]
) -> None:
    path = workbook(tmp_path_factory.mktemp("x") / "x.xlsx", {"S": [["a", "b", "c"], *([*row, "x"] for row in rows)]})
    sheet = openpyxl.load_workbook(path).worksheets[0]
    wanted = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    found = landed(path).drop("_row")
    for place, (name, kind) in enumerate(found.schema.items()):
        assert found[name].to_list() == [as_landed(row[place], kind) for row in wanted]


def as_landed(value: Any, kind: pl.DataType) -> Any:
    """A cell as openpyxl or xlrd has it, in a column of this type."""
    if kind != pl.String or value is None or isinstance(value, str):
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(int(value)) if float(value).is_integer() and abs(value) < 2**63 else repr(float(value))
    if isinstance(value, dt.datetime | dt.date):
        return str(value) if isinstance(value, dt.datetime) else f"{value} 00:00:00"
    if isinstance(value, dt.timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return value.isoformat()


# --- workbooks of other people ----------------------------------------------------------------------

CORPORA = os.environ.get("DQ_CORPORA")


def others() -> list[Any]:
    if CORPORA is None:
        return [pytest.param(Path("x.xls"), marks=pytest.mark.skip(reason="DQ_CORPORA does not say where they lie"))]
    found = [path for folder in ("excel", "read-right") for path in sorted(Path(CORPORA, folder).glob("*.xls*"))]
    assert found
    return [pytest.param(path, id=path.name) for path in found if path.suffix != ".xlsb"]


def read_by_another(path: Path) -> Iterator[tuple[str, dict[tuple[int, int], Any]]]:
    """Each sheet's cells that have a value, by row and column from 0: of openpyxl, or of xlrd."""
    if path.suffix == ".xls":
        book = xlrd.open_workbook(path)
        for sheet in book.sheets():
            places = [(row, column) for row in range(sheet.nrows) for column in range(sheet.ncols)]
            cells = {place: _by_xlrd(sheet.cell(*place), book.datemode) for place in places}
            yield sheet.name, {place: value for place, value in cells.items() if value not in (None, "")}
    else:
        for worksheet in openpyxl.load_workbook(path, data_only=True).worksheets:
            rows = worksheet.iter_rows()
            cells = {(down, right): cell.value for down, row in enumerate(rows) for right, cell in enumerate(row)}
            yield worksheet.title, {place: value for place, value in cells.items() if value not in (None, "")}


def _by_xlrd(cell: Any, datemode: int) -> Any:
    match cell.ctype:
        case xlrd.XL_CELL_DATE if cell.value < 1:
            return (NOON - dt.timedelta(hours=12) + dt.timedelta(days=cell.value)).time()
        case xlrd.XL_CELL_DATE:
            return xlrd.xldate_as_datetime(cell.value, datemode)
        case xlrd.XL_CELL_ERROR:
            return xlrd.error_text_from_code[cell.value]
        case xlrd.XL_CELL_BOOLEAN:
            return bool(cell.value)
    return cell.value


#: What openpyxl reads otherwise than Excel shows it, or not at all.
NOT_BY_OPENPYXL = {"has_x000D_.xlsx", "pivots.xlsx"}


@pytest.mark.filterwarnings("ignore:Workbook contains no stylesheet:UserWarning")
@pytest.mark.parametrize("path", others())
def test_workbooks_of_other_people_cell_by_cell(path: Path) -> None:
    if path.name in NOT_BY_OPENPYXL:
        assert landed(path).width > 1
        return
    for name, cells in read_by_another(path):
        found = landed(path, sheet=name, header_row=0)
        rows = {row: line for line in found.rows() for row in [line[-1] - 1]}
        assert sorted(rows) == sorted({row for row, _ in cells})
        for place, column in enumerate(found.columns[:-1]):
            number = int(column.removeprefix("column_")) - 1
            for row, line in rows.items():
                wanted = as_landed(cells.get((row, number)), found.schema[column])
                assert line[place] == wanted, (name, row, number)


# --- time --------------------------------------------------------------------------------------------


def test_a_workbook_that_takes_too_much_of_the_processor_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workbook(tmp_path / "x.xlsx", {"S": [["a"], [1]]})
    monkeypatch.setattr(excel, "_SECONDS", 0)
    with pytest.raises(
        SourceError, match=r"x.xlsx: wanted a workbook, got one that takes over 0 s of CPU to open"
    ) as got:
        landed(path)
    assert not isinstance(got.value, Transient)


def test_a_workbook_that_does_not_come_in_time_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "x.xlsx", {"S": [["a"], [1]]})
    monkeypatch.setattr(excel, "_PATIENCE", 0)
    with pytest.raises(Transient, match="try again"):
        landed(path)


def test_a_workbook_in_a_zip_has_its_sheets_told_apart(tmp_path: Path) -> None:
    path = workbook(tmp_path / "x.xlsx", {"One": [["a"], [1]], "Two": [["a"], [2]]})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.write(path, "in.xlsx")
        archive.write(path, "too.xlsx")
    (tmp_path / "y.zip").write_bytes(out.getvalue())
    found = read({"type": "excel", "path": str(tmp_path / "y.zip"), "sheet": "all"}).landed.collect()
    ends = [source.partition("#")[2] for source in found["_source"]]
    assert ends == ["in.xlsx#One", "in.xlsx#Two", "too.xlsx#One", "too.xlsx#Two"]
