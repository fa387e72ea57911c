"""Values that other tools, or earlier versions of this one, changed in silence: each is exact, or its row is refused."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import openpyxl
import pyarrow as pa
import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines_tests.reports.conftest import Lay
from dq_pipelines_tests.reports.test_rows import CSV, parquet

PARQUET = 'source: {type: parquet, path: "{landing}/*.parquet"}\n'


def workbook(*rows: tuple[str | float, ...]) -> bytes:
    """The bytes of a workbook of one sheet."""
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def customers() -> bytes:
    """Ids, telephone numbers and Excel's serial dates, all as numbers."""
    names = ("id", "phone", "zip", "serial", "price", "ok")
    prices = (19.99, 0.3, 1.005)
    rows = ((1001 + n, 44201234567 + n, 1234, 45293 + n, prices[n], True) for n in range(3))
    return workbook(names, *rows)


CUSTOMERS = """
    source: {type: excel, path: "{landing}/*.xlsx"}
    silver:
      keys: [id]
      columns: {id: string, phone: string, price: "decimal(10,2)"MORE}
    """


@pytest.mark.report("12-two-digit-year-under-%Y")
def test_two_digits_are_no_year_of_four(lay: Lay) -> None:
    table = """
        source: {type: csv, path: "{landing}/*.csv"}
        silver: {columns: {id: int64, d: {type: date, format: "%d/%m/%Y"}, iso: date, ts: datetime}}
        """
    lines = "id,d,iso,ts\n1,15/03/2024,2024-03-15,2024-03-15 10:00:00\n2,15/03/24,24-03-15,24-03-15 10:00:00\n"
    report = lay({"inv": table}, {"o.csv": lines})
    report.land()
    assert report.shop.run("inv").success
    assert report.shop.rows("silver/inv", "id", "d") == [(1, date(2024, 3, 15))]
    assert report.shop.refused("inv") == [
        ("cast", "d", "15/03/24"),
        ("cast", "iso", "24-03-15"),
        ("cast", "ts", "24-03-15 10:00:00"),
    ]


@pytest.mark.report("13-excel-ids-as-text")
def test_whole_numbers_of_a_workbook_are_text_without_a_point(lay: Lay) -> None:
    report = lay({"cust": CUSTOMERS.replace("MORE", "")}, {"c.xlsx": customers()})
    report.shop.table("cust", CUSTOMERS.replace("MORE", ""))
    report.land()
    assert report.shop.run("cust").success
    assert report.shop.rows("silver/cust", "id", "phone") == [("1001", "44201234567"), ("1002", "44201234568")]
    assert report.shop.refused("cust") == [("cast", "price", "1.005")]


@pytest.mark.report("14-excel-day-2-has-a-text-code")
def test_a_key_is_the_same_text_on_a_day_of_numbers_and_on_one_of_text(lay: Lay) -> None:
    table = """
        source: {type: excel, path: "{landing}/*.xlsx"}
        schema: evolve
        silver: {keys: [code], columns: {code: string, v: int64}}
        """
    days = {
        "1.xlsx": workbook(("code", "v"), (1001, 1), (1002, 1)),
        "2.xlsx": workbook(("code", "v"), (1001, 2), ("A7", 2)),
    }
    report = lay({"x": table}, days)
    for name in days:
        report.land(name)
        assert report.shop.run("x").success
    assert report.shop.rows("silver/x", "code", "v") == [("1001", 2), ("1002", 1), ("A7", 2)]


@pytest.mark.report("15-typed-values-rounded")
def test_typed_values_are_not_rounded_to_fit(lay: Lay) -> None:
    columns = (
        '{id: int64, flag: boolean, amt: "decimal(10,2)", d4: "decimal(10,2)", qty: int64, ep: datetime, ny: date}'
    )
    zone = pa.timestamp("us", "America/New_York")
    moments = [datetime(2024, 1, 3, 4, 30, tzinfo=UTC), datetime(2024, 1, 2, 12, 53, 20, tzinfo=UTC)]
    landed = pa.table(
        {
            "id": [1, 2],
            "flag": pa.array([0, 2], pa.int8()),
            "amt": [1.005, 2.999],
            "d4": pa.array([Decimal("1.2345"), Decimal("2.0000")], pa.decimal128(10, 4)),
            "qty": pa.array([Decimal("1.7"), Decimal("2.0")], pa.decimal128(6, 1)),
            "ep": [1704153600, 1704240000],
            "ny": pa.array(moments, zone),
        }
    )
    report = lay({"ev": f"{PARQUET}silver: {{columns: {columns}}}\n"}, {"e.parquet": parquet(landed)})
    report.land()
    assert report.shop.run("ev").success
    assert report.shop.rows("silver/ev") == []
    refused: dict[str, int] = {}
    for rule, column, _ in report.shop.refused("ev"):
        assert rule == "cast"
        refused[str(column)] = refused.get(str(column), 0) + 1
    assert refused == {"flag": 1, "amt": 2, "d4": 1, "qty": 1, "ep": 2, "ny": 2}


@pytest.mark.report("17-excel-serial-date")
def test_a_number_of_a_workbook_is_no_day_since_1970(lay: Lay) -> None:
    report = lay({"cust": CUSTOMERS.replace("MORE", ", serial: date")}, {"c.xlsx": customers()})
    report.shop.table("cust", CUSTOMERS.replace("MORE", ", serial: date"))
    report.land()
    assert report.shop.run("cust").success
    assert report.shop.rows("silver/cust", "serial") in ([], [date(2024, 1, 2), date(2024, 1, 3)])
    if not report.shop.rows("silver/cust"):
        assert {column for _, column, _ in report.shop.refused("cust")} == {"serial", "price"}


@pytest.mark.report("19-int-20240102-with-format")
def test_a_format_is_asked_of_numbers_too(lay: Lay) -> None:
    table = f'{PARQUET}silver: {{columns: {{id: int64, ymd: {{type: date, format: "%Y%m%d"}}}}}}\n'
    landed = pa.table({"id": [1], "ymd": pa.array([20240102], pa.int32())})
    report = lay({"ev": table}, {"e.parquet": parquet(landed)})
    report.land()
    assert report.shop.run("ev").success
    assert report.shop.rows("silver/ev", "ymd") == [date(2024, 1, 2)]


@pytest.mark.report("20-year-0000")
def test_years_that_are_none_refuse_their_rows_alone(lay: Lay) -> None:
    table = 'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {columns: {id: int64, d: date}}\n'
    report = lay({"x": table}, {"x.csv": "id,d\n1,2024-01-02\n2,0000-01-01\n3,10000-01-01\n"})
    report.land()
    assert report.shop.run("x").success
    assert report.shop.rows("silver/x", "id") == [1]
    assert report.shop.refused("x") == [("cast", "d", "0000-01-01"), ("cast", "d", "10000-01-01")]


@pytest.mark.report("21-names-that-differ-by-case")
def test_names_that_differ_by_case_are_one_column(lay: Lay) -> None:
    table = 'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {columns: {id: {type: int64, from: Id}}}\n'
    report = lay({"ev": table}, {"1.csv": "Id,v\n1,a\n2,b\n", "2.csv": "ID,v\n3,c\n4,d\n"})
    report.land()
    assert report.shop.run("ev").success
    assert report.shop.rows("silver/ev", "id", "v") == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


@pytest.mark.report("22-parquet-timestamps-not-in-us")
def test_moments_of_every_unit_are_published_by_the_first_run(lay: Lay) -> None:
    moments = [datetime(2024, 1, 2, 10, tzinfo=UTC), datetime(2024, 1, 3, 11, tzinfo=UTC)]
    files = {}
    for place, unit in enumerate(("s", "ms", "us", "ns")):
        landed = pa.table({"id": [1 + 10 * place, 2 + 10 * place], "at": pa.array(moments, pa.timestamp(unit, "UTC"))})
        files[f"{unit}.parquet"] = parquet(landed)
    report = lay({"ev": f"{PARQUET}silver: {{keys: [id], columns: {{id: int64, at: timestamp}}}}\n"}, files)
    report.land()
    assert report.shop.run("ev").success
    assert report.shop.rows("quarantine/ev") == []
    found = report.shop.rows("silver/ev", "id", "at")
    assert len(found) >= 4
    assert {at for _, at in found} == set(moments)


@pytest.mark.report("28-zone-names-by-%Z")
def test_names_of_zones_are_no_offsets(lay: Lay) -> None:
    table = 'source: {type: csv, path: "{landing}/*"}\nsilver: {columns: {id: int64, at: {type: timestamp, format: "%Y-%m-%d %H:%M:%S %Z"}}}\n'
    report = lay({"x": table}, {"x.csv": "id,at\n1,2024-07-02 10:00:00 CEST\n2,2024-07-02 10:00:00 EST\n"})
    with pytest.raises(ConfigError, match="%Z"):
        report.shop.run("x")


@pytest.mark.report("30-lf-in-a-cell-of-a-crlf-file")
def test_a_newline_in_a_cell_stays_as_it_is(lay: Lay) -> None:
    report = lay({"x": CSV}, {"x.csv": b'id,note\r\n1,"x\ny"\r\n2,b\r\n'})
    report.land()
    assert report.shop.run("x").success
    assert report.shop.rows("silver/x", "note") == ["b", "x\ny"]


@pytest.mark.report("31-export_9-before-export_10")
def test_the_file_that_was_modified_last_wins(lay: Lay) -> None:
    table = 'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {keys: [id], columns: {id: int64, price: int64}}\n'
    report = lay({"p": table}, {"export_9.csv": "id,price\n1,9\n", "export_10.csv": "id,price\n1,10\n"})
    report.land("export_9.csv", modified=1_700_000_000)
    report.land("export_10.csv", modified=1_700_000_060)
    assert report.shop.run("p").success
    assert report.shop.rows("silver/p", "price") == [10]
    assert report.shop.run("p", mode="rerun").success
    assert report.shop.rows("silver/p", "price") == [10]


@pytest.mark.report("34-cp1250-and-shift-jis")
@pytest.mark.parametrize(("name", "right"), [("pl.csv", "Łódź"), ("jp.csv", "東京都"), ("u16.csv", "Łódź")])
def test_an_encoding_is_right_or_a_warning_tells_the_guess(lay: Lay, name: str, right: str) -> None:
    files = {
        "pl.csv": "id,miasto\n1,Łódź\n2,Żywiec\n".encode("cp1250"),
        "jp.csv": "id,miasto\n3,東京都\n4,大阪府\n".encode("shift-jis"),
        "u16.csv": "id,miasto\n5,Łódź\n".encode("utf-16-le"),
    }
    report = lay({"x": CSV}, files)
    report.land(name)
    ran = report.shop.run("x")
    warned = [check for check, one in ran.checks.items() if "encoding" in check and not one.passed]
    assert right in report.shop.rows("silver/x", "miasto") or warned


@pytest.mark.report("41-nested-or-binary-into-string")
def test_nested_and_binary_values_become_text_or_refuse_their_row(lay: Lay) -> None:
    landed = pa.table(
        {
            "id": [1, 2],
            "tags": pa.array([["a", "b"], None], pa.list_(pa.string())),
            "addr": pa.array([{"zip": "01234", "n": 1}, None], pa.struct({"zip": pa.string(), "n": pa.int64()})),
            "raw": pa.array([b"\xff", b"ok"]),
            "dur": pa.array([timedelta(seconds=90), None], pa.duration("us")),
        }
    )
    table = f"{PARQUET}silver: {{columns: {{id: int64, tags: string, addr: string, raw: string, dur: string}}}}\n"
    report = lay({"x": table}, {"e.parquet": parquet(landed)})
    report.land()
    assert report.shop.run("x").success
    assert report.shop.rows("silver/x", "id", "raw") == [(2, "ok")]
    assert ("cast", "raw") in {(rule, column) for rule, column, _ in report.shop.refused("x")}
    assert all(value for _, _, value in report.shop.refused("x"))


@pytest.mark.report("42-iso-forms")
def test_the_forms_of_iso_8601_need_no_format(lay: Lay) -> None:
    table = 'source: {type: csv, path: "{landing}/*"}\nsilver: {columns: {id: int64, at: timestamp}}\n'
    lines = "id,at\n1,2024-01-02T10:00\n2,2024-01-02 10:00:00+02\n3,2024-01-02T10:00:00.5+0200\n4,20240102T100000Z\n5,2024-01-02T10:00Z\n"
    report = lay({"x": table}, {"x.csv": lines})
    report.land()
    assert report.shop.run("x").success
    ten = datetime(2024, 1, 2, 10, tzinfo=UTC)
    eight = ten - timedelta(hours=2)
    wanted = [(1, ten), (2, eight), (3, eight + timedelta(milliseconds=500)), (4, ten), (5, ten)]
    assert report.shop.rows("silver/x", "id", "at")[:5] == wanted


@pytest.mark.report("44-late-older-row")
def test_an_older_row_that_comes_late_loses_by_order_by(lay: Lay) -> None:
    table = """
        source: {type: csv, path: "{landing}/*.csv"}
        silver: {keys: [id], MERGEcolumns: {id: int64, upd: datetime, v: string}}
        """
    days = {
        "2024-01-02.csv": "id,upd,v\n1,2024-01-02 10:00:00,new\n",
        "2024-01-01.csv": "id,upd,v\n1,2024-01-01 10:00:00,old\n",
    }
    report = lay({"x": table.replace("MERGE", "")}, days)
    report.shop.table("x", table.replace("MERGE", "merge: {order_by: upd}, "))
    for name in days:
        report.land(name)
        assert report.shop.run("x").success
    assert report.shop.rows("silver/x", "v") == ["new"]
    assert report.shop.run("x", mode="rerun").success
    assert report.shop.rows("silver/x", "v") == ["new"]
