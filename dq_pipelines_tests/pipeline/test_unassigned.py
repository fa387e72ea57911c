"""Each input of a source is read, stands aside, or is named in the check `inputs_unassigned` and in the sensor's tick."""

from __future__ import annotations

import io
import os
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq_pipelines.project.day_pattern import DayPattern
from dq_pipelines_tests.workshop import Workshop

DAILY = """
    source: {type: csv, path: "{landing}/**/*.csv"}
    partitions: {type: daily, start: 2024-01-01, in_path: "PATTERN"}
    on_arrival: true
    silver: {columns: {id: int64}}
"""
FOLDERS = """
    source: {type: csv, path: "{landing}/PATTERN"}
    on_arrival: true
    silver: {columns: {id: int64}}
"""
CHECK = "bronze/events:inputs_unassigned"


def shop(root: Path, text: str, pattern: str) -> Workshop:
    made = Workshop(root)
    made.landing.mkdir()
    made.table("events", text.replace("PATTERN", pattern))
    return made


def named(check: dg.AssetCheckEvaluation) -> dict[str, str]:
    """The inputs in the check's table, with their reasons."""
    table = check.metadata["unassigned"]
    assert isinstance(table, dg.TableMetadataValue)
    return {str(record.data["input"]): str(record.data["reason"]) for record in table.records}


def test_days_without_zeros_are_read(tmp_path: Path) -> None:
    made = shop(tmp_path, DAILY, "year=%Y/month=%m/day=%d")
    made.land("year=2024/month=1/day=1/part-0.csv", "id\n1\n")
    made.land("year=2024/month=01/day=12/part-0.csv", "id\n12\n")
    tick = made.tick("events_arrivals")
    assert isinstance(tick, dg.SensorResult)
    assert [request.partition_key for request in tick.run_requests or ()] == ["2024-01-01", "2024-01-12"]
    with made.instance:
        assert made.run("events", partition="2024-01-01").success
        ran = made.run("events", partition="2024-01-12")
    assert made.rows("silver/events", "id") == [1, 12]
    assert ran.checks[CHECK].passed


def test_what_belongs_to_no_partition_is_named(tmp_path: Path) -> None:
    made = shop(tmp_path, DAILY, "%Y-%m-%d")
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date()
    for name in ("2024-02-28", "28-02-2024", "2023-12-31", str(tomorrow)):
        made.land(f"{name}.csv", "id\n1\n")
    tick = made.tick("events_arrivals")
    assert isinstance(tick, dg.SensorResult)  # a day that has not begun does not end the tick
    assert [request.partition_key for request in tick.run_requests or ()] == ["2024-02-28"]
    with made.instance:
        ran = made.run("events", partition="2024-02-28")
    assert ran.success
    check = ran.checks[CHECK]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    told = named(check)
    assert told == {
        f"{made.landing}/28-02-2024.csv": "its path holds no day that is written as %Y-%m-%d",
        f"{made.landing}/2023-12-31.csv": "its day 2023-12-31 is before partitions.start, 2024-01-01",
        f"{made.landing}/{tomorrow}.csv": f"its day {tomorrow} has not begun (UTC)",
    }
    skipped = made.tick("events_arrivals")
    assert isinstance(skipped, dg.SkipReason)
    assert "nothing new for silver/events; 3 inputs are read by no run: " in str(skipped.skip_message)


@pytest.mark.parametrize("pattern", ["*.csv", "out.c*", "*"])
def test_a_folder_that_spark_wrote_is_read_as_the_file_that_it_stands_for(tmp_path: Path, pattern: str) -> None:
    made = shop(tmp_path, FOLDERS, pattern)
    made.land("out.csv/part-0000.csv", "id\n1\n")
    made.land("out.csv/day=2/part-0001.csv", "id\n2\n")
    for name in ("_SUCCESS", ".part-0000.csv.crc", "._SUCCESS.crc", "_temporary/0/part-0002.csv"):
        made.land(f"out.csv/{name}", "x" if "crc" in name else "")
    with made.instance:
        ran = made.run("events")
    assert ran.success
    assert made.rows("silver/events", "id") == [1, 2]
    assert ran.checks[CHECK].passed


def test_a_folder_a_link_to_nothing_and_a_pipe_are_named(tmp_path: Path) -> None:
    made = shop(tmp_path, FOLDERS, "*")
    made.land("a.csv", "id\n1\n")
    made.land("old/b.csv", "id\n2\n")
    made.land("~$a.csv", "locked")
    (made.landing / "c.csv").symlink_to("gone.csv")
    os.mkfifo(made.landing / "d.csv")
    with made.instance:
        ran = made.run("events")
        again = made.run("events")  # also where nothing new arrived
    assert made.rows("silver/events", "id") == [1]
    for one in (ran, again):
        assert one.success
        told = named(one.checks[CHECK])
        assert told == {
            f"{made.landing}/c.csv": "it is a link to gone.csv, which is not there",
            f"{made.landing}/d.csv": "it is a pipe, a socket or a device and no file",
            f"{made.landing}/old": f"it is a folder; to read the files below it, write {made.landing}/**",
        }


DAYS = st.dates(date(1990, 1, 1), date(2060, 12, 31))


@given(day=DAYS, form=st.sampled_from(["{0:%Y}-{0.month}-{0.day}", "{0:%Y-%m-%d}", "{0:%Y}-{0:%m}-{0.day}"]))
def test_a_day_is_found_with_zeros_and_without(day: date, form: str) -> None:
    assert DayPattern.of("%Y-%m-%d").day_in(f"/in/v2/{form.format(day)}.csv") == day


@given(
    day=DAYS,
    pattern=st.sampled_from(
        ["%Y%m%d", "%d.%m.%Y", "%F", "%d-%b-%Y", "%Y/%j", "y=%Y/m=%-m/d=%-d", "%y%m%d", "%Y-%m-%d_%H%M"]
    ),
)
def test_a_day_is_found_in_what_strftime_writes(day: date, pattern: str) -> None:
    written = datetime(day.year, day.month, day.day, 13, 5, tzinfo=UTC).strftime(pattern)
    assert DayPattern.of(pattern).day_in(f"/in/{written}.csv") == day


@given(day=DAYS, pattern=st.sampled_from(["%Y%m%d/%Y-%m-%d", "%Y/%m/%Y%m%d", "%Y/%b/%F", "%Y/%j/%y%m%d", "%H/%F_%T"]))
def test_a_day_that_is_written_twice_is_found(day: date, pattern: str) -> None:
    written = datetime(day.year, day.month, day.day, 13, 5, tzinfo=UTC).strftime(pattern)
    assert DayPattern.of(pattern).day_in(f"/in/{written}.csv") == day


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("%Y%m%d/%Y-%m-%d", "20240102/2024-01-03"),
        ("%Y/%m/%F", "2024/02/2024-01-02"),
        ("%Y/%b/%F", "2024/Feb/2024-01-02"),
        ("%y/%F", "23/2024-01-02"),
        ("%j/%F", "003/2024-01-02"),
    ],
)
def test_two_days_that_differ_are_no_day(pattern: str, path: str) -> None:
    assert DayPattern.of(pattern).day_in(f"/in/{path}.csv") is None
    assert DayPattern.of(pattern).day_in(f"/in/2024-01-02/{path}.csv") is None


def test_parts_of_a_day_may_be_written_twice_in_their_own_way() -> None:
    assert DayPattern.of("m=%m/%Y-%m-%d").day_in("/in/m=1/2024-01-02.csv") == date(2024, 1, 2)
    assert DayPattern.of("%Y/%j/%F").day_in("/in/2024/366/2024-12-31.csv") == date(2024, 12, 31)


def test_longer_digits_are_no_day() -> None:
    assert DayPattern.of("%Y-%m-%d").day_in("/in/2024-01-020.csv") is None
    assert DayPattern.of("%Y%m%d").day_in("/in/20240102103000.csv") == date(2024, 1, 2)


@pytest.mark.parametrize("pattern", ["%Y", "%m-%d", "%Y-%m-%d %Z", "%x", "%Y-%Q-%d"])
def test_a_pattern_that_names_no_day_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^wanted "):
        DayPattern.of(pattern)


def test_parquet_folders_of_report_7_are_read(tmp_path: Path) -> None:
    made = shop(
        tmp_path, DAILY.replace("type: csv", "type: parquet").replace("/**/*.csv", ""), "year=%Y/month=%m/day=%d"
    )
    for day in (1, 12):
        path = made.land(f"year=2024/month=1/day={day}/part-0.parquet", "")
        pl.DataFrame({"id": [day]}).write_parquet(path)
    with made.instance:
        for key in ("2024-01-01", "2024-01-12"):
            assert made.run("events", partition=key).success
    assert made.rows("silver/events", "id") == [1, 12]


def test_members_of_an_archive_that_are_no_data_are_named(tmp_path: Path) -> None:
    made, packed = shop(tmp_path, FOLDERS, "*.zip"), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", "id\n1\n")
        archive.writestr("readme.txt", "Created by the export tool\n")
        archive.writestr("_b.csv", "id\n2\n")
    made.land("1.zip", packed.getvalue())
    with made.instance:
        ran = made.run("events")
    assert ran.success
    assert made.rows("silver/events", "id") == [1]
    assert named(ran.checks[CHECK]) == {
        f"{made.landing}/1.zip#readme.txt": "it is of another kind than the source's",
        f"{made.landing}/1.zip#_b.csv": "a name in it begins with . or _",
    }


def test_an_address_at_which_there_is_nothing_is_told(tmp_path: Path) -> None:
    made = shop(tmp_path, FOLDERS, "*.csv")
    made.land("events.cvs", "id\n1\n")
    said = f"{made.landing}/*.csv: wanted at least one file, got none; in {made.landing} there is events.cvs"
    ran = made.run("events")
    assert ran.success
    assert said in str(ran.materialized["silver/events"]["nothing_found"])
    skipped = made.tick("events_arrivals")
    assert isinstance(skipped, dg.SkipReason)
    assert said in str(skipped.skip_message)
    made.land("1.csv", "id\n1\n")
    assert "nothing_found" not in made.run("events").materialized["silver/events"]
    assert "nothing_found" not in made.run("events").materialized["silver/events"], "what is there has landed before"
