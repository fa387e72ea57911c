"""Rows that other tools, or earlier versions of this one, lost in silence: each is published or refused."""

from __future__ import annotations

import bz2
import gzip
import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dq_pipelines_tests.reports.conftest import Lay

CSV = 'source: {type: csv, path: "{landing}/*"}\nsilver: {}\n'


def parquet(table: pa.Table) -> bytes:
    """The bytes of a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def zipped(**members: str) -> bytes:
    """The bytes of a zip archive; `a_csv` names the member `a.csv`."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return sink.getvalue()


@pytest.mark.report("1-hash-ids")
def test_ids_that_start_with_a_number_sign_are_records(lay: Lay) -> None:
    orders = """
        source: {type: csv, path: "{landing}/*.csv"}
        silver:
          keys: [name]
          columns: {name: {type: string, from: Name}, total: {type: "decimal(10,2)", from: Total}}
        """
    lines = "Name,Email,Total\n#1001,ann@example.org,10.50\n#1002,bob@example.org,20.00\n#1003,cy@example.org,5.25\n"
    report = lay({"orders": orders}, {"o.csv": lines})
    report.land()
    assert report.shop.run("orders").success
    assert report.shop.rows("silver/orders", "name") == ["#1001", "#1002", "#1003"]


@pytest.mark.report("2-dash-first-cells")
def test_cells_that_start_with_dashes_are_records(lay: Lay) -> None:
    report = lay({"x": CSV}, {"x.csv": "opt,meaning\n--all,every\n--none,nothing\n--x,other\n"})
    report.land()
    assert report.shop.run("x").success
    assert report.shop.rows("silver/x", "opt") == ["--all", "--none", "--x"]


@pytest.mark.report("4-first-row-non-detect")
def test_a_first_row_of_non_detects_is_no_second_header(lay: Lay) -> None:
    numbers = "".join(f"S{n},{1 + n / 10},{n / 10},{n}\n" for n in range(10))
    report = lay({"x": CSV}, {"x.csv": "site,pb,cd,zn\nA,n.d.,n.d.,n.d.\n" + numbers})
    report.land()
    assert report.shop.run("x").success
    found = report.shop.rows("silver/x", "site", "pb", "cd", "zn")
    assert len(found) == 11
    assert ("A", "n.d.", "n.d.", "n.d.") in found


@pytest.mark.report("5-cell-of-2000-lines")
def test_a_cell_of_2000_lines_is_one_cell(lay: Lay) -> None:
    trace = "a stack trace line, at x.py\n" * 2000
    report = lay({"x": CSV}, {"w.csv": f'id,body,who\n1,short,u\n2,"{trace}",u2\n3,short,u3\n'})
    report.land()
    assert report.shop.run("x").success
    assert report.shop.rows("silver/x", "id", "who") == [("1", "u"), ("2", "u2"), ("3", "u3")]
    assert trace in report.shop.rows("silver/x", "body")


@pytest.mark.report("7-hive-months-without-zeros")
def test_dates_without_zeros_belong_to_their_partitions(lay: Lay) -> None:
    events = """
        source: {type: parquet, path: "{landing}/ev"}
        partitions: {type: daily, start: 2024-01-01, in_path: "year=%Y/month=%m/day=%d"}
        silver: {columns: {id: int64}}
        """
    files = {f"ev/year=2024/month=1/day={day}/part-0.parquet": parquet(pa.table({"id": [day]})) for day in (1, 12)}
    report = lay({"ev": events}, files)
    report.land()
    for day in (1, 12):
        assert report.shop.run("ev", partition=f"2024-01-{day:02}").success
    assert report.shop.rows("silver/ev", "id") == [1, 12]


@pytest.mark.report("9-folder-called-out.csv")
def test_a_folder_that_matches_is_read(lay: Lay) -> None:
    report = lay(
        {"x": 'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {}\n'},
        {"out.csv/part-0000.csv": "id,v\n1,a\n", "out.csv/_SUCCESS": "", "out.csv/.part-0000.csv.crc": b"crc"},
    )
    report.land()
    assert report.shop.run("x").success
    assert report.shop.rows("silver/x", "id", "v") == [("1", "a")]


@pytest.mark.report("10-ndjson-key-_batch")
def test_keys_that_we_reserve_are_kept_under_other_names(lay: Lay) -> None:
    lines = '\ufeff{"_batch":"b","_ingested_at":"z","_why":"q","v":1}\n{"v":NaN}\n{"v":2,"v":3}\n'
    report = lay({"x": 'source: {type: ndjson, path: "{landing}/*"}\nsilver: {}\n'}, {"a.json": lines})
    report.land()
    assert report.shop.run("x").success
    (row,) = [row for row in report.shop.rows("silver/x") if str(row["v"]) == "1"]
    assert {"b", "z", "q"} <= {str(value) for value in row.values()}
    ran = report.shop.rows("bronze/x")
    assert all(str(one["_batch"]).startswith("b-") for one in ran)
    assert len(report.shop.rows("silver/x")) + len(report.shop.rows("quarantine/x")) == 3


@pytest.mark.report("24-mongo-_id-replay")
def test_a_refused_row_with_an_id_of_its_own_replays(lay: Lay) -> None:
    wanted = """
        source: {type: ndjson, path: "{landing}/*.json"}
        silver:
          columns: {n: int64}
          rules: [{type: expect_column_values_to_be_between, column: n, max_value: MOST}]
        """
    documents = '{"_id":"65a1","n":1,"_status":"new"}\n{"_id":"65a2","n":200,"_status":"shipped"}\n'
    report = lay({"m": wanted.replace("MOST", "500")}, {"x.json": documents})
    shop = report.shop
    shop.table("m", wanted.replace("MOST", "100"))
    report.land()
    assert shop.run("m").success
    assert [rule for rule, _, _ in shop.refused("m")] == ["expect_column_values_to_be_between"]
    assert {"65a2", "shipped"} <= {str(value) for row in shop.rows("quarantine/m") for value in row.values()}
    shop.table("m", wanted.replace("MOST", "500"))
    assert shop.run_job("quarantine_replay", config={"table": "m"}).success
    found = shop.rows("silver/m")
    assert sorted(row["n"] for row in found) == [1, 200]
    assert {"65a1", "new", "65a2", "shipped"} <= {str(value) for row in found for value in row.values()}


@pytest.mark.report("38-preamble-one-field-narrower")
def test_a_preamble_that_is_one_field_narrower_is_no_table(lay: Lay) -> None:
    above = "Vendor;Test\nFrom;06/02/2024\nTo;06/29/2024\n"
    rows = "".join(f"06/{day:02}/2024;06/22/2024;{day}\n" for day in range(1, 21))
    report = lay({"x": CSV}, {"x.csv": f"{above}When;Settled;Ref\n{rows}"})
    report.land()
    assert report.shop.run("x").success
    assert len(report.shop.rows("silver/x", "When", "Settled", "Ref")) == 20
    assert report.shop.rows("quarantine/x") == []


@pytest.mark.report("40-readme-in-a-zip")
def test_a_readme_in_an_archive_is_no_data(lay: Lay) -> None:
    readme = "Created by the export tool\nDo not edit\n"
    files = {"1.zip": zipped(a_csv="id,v\n1,c\n", readme_txt=readme), "2.zip": zipped(a_csv="id,v\n2,c\n")}
    report = lay({"x": CSV}, files)
    for name, passed_over in (("1.zip", "1.zip#readme.txt"), ("2.zip", "")):
        report.land(name)
        ran = report.shop.run("x")
        assert ran.success
        told = ran.checks["bronze/x:inputs_unassigned"]
        assert told.passed == (not passed_over)
        assert passed_over in str(told.metadata)
    assert report.shop.rows("silver/x", "id", "v") == [("1", "c"), ("2", "c")]
    assert not {"Created by the export tool"} & set(report.shop.rows("silver/x")[0])


@pytest.mark.report("33-binary-as-csv")
def test_binary_content_called_csv_stands_aside(lay: Lay) -> None:
    text = "id,v\n" + "".join(f"{n},a{n * n}\n" for n in range(200))
    report = lay({"x": CSV}, {"m.csv": gzip.compress(text.encode())})
    report.land()
    ran = report.shop.run("x")
    assert report.shop.rows("silver/x") == report.shop.rows("quarantine/x") == []
    assert not ran.success
    assert "gzip" in ran.failures["x"]


@pytest.mark.report("45-bz2-with-columns")
def test_bzip2_is_read_or_named(lay: Lay) -> None:
    table = 'source: {type: csv, path: "{landing}/*"}\nsilver: {columns: {id: int64, v: string}}\n'
    report = lay({"x": table}, {"m.csv.bz2": bz2.compress(b"id,v\n1,a\n")})
    report.land()
    ran = report.shop.run("x")
    assert (report.shop.rows("silver/x", "id", "v")[:1] == [(1, "a")]) or "bzip2" in ran.failures["x"]


@pytest.mark.slow
@pytest.mark.report("25-cell-of-2.5-million-lines")
def test_a_cell_of_millions_of_lines_is_one_cell(lay: Lay) -> None:
    table = 'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {columns: {id: int64, v: string}}\n'
    cell = "ab,\n" * 2_500_000
    report = lay({"x": table}, {"x.csv": f'id,v\n1,"{cell}"\n'})
    report.land()
    report.shop.run("x")
    published, refused = report.shop.rows("silver/x", "id", "v"), report.shop.rows("quarantine/x")
    assert len(published) + len(refused) == 1
    assert published in ([], [(1, cell)])
