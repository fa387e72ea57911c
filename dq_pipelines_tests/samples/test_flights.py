"""The seven known findings, counted in the landed files with plain Polars."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dq_pipelines.samples import ExpectedFaults, generate
from dq_pipelines.samples.flights import LANDED


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExpectedFaults]:
    folder = tmp_path_factory.mktemp("landing")
    return folder / "flights", generate("flights", folder)


def read(landing: tuple[Path, ExpectedFaults], table: str) -> pl.DataFrame:
    return pl.read_csv(landing[0] / f"{table}.csv", null_values=["", "NA"], infer_schema_length=None)


def test_all_rows_land(landing: tuple[Path, ExpectedFaults]) -> None:
    assert {table: read(landing, table).height for table in LANDED} == LANDED


def test_the_known_faults_are_in_the_files(landing: tuple[Path, ExpectedFaults]) -> None:
    flights, planes, weather = (read(landing, table) for table in ("flights", "planes", "weather"))
    airports = read(landing, "airports")["faa"]
    lost = flights.filter(~pl.col("dest").is_in(airports.implode()))
    counted = {
        "no_tailnum": flights["tailnum"].null_count(),
        "unknown_plane": flights["tailnum"].drop_nulls().is_in(planes["tailnum"].implode()).not_().sum(),
        "unknown_destination": lost.height,
        "repeated_hour": weather.select("origin", "year", "month", "day", "hour").is_duplicated().sum(),
        "impossible_wind": (weather["wind_speed"] > 60).sum(),
        "no_year": planes["year"].null_count(),
        "built_before_1960": (planes["year"] < 1960).sum(),
    }
    assert counted == {fault.kind: fault.count for fault in landing[1].faults}
    assert set(lost["dest"]) == {"BQN", "PSE", "SJU", "STT"}


def test_keys_of_the_silver_tables_are_keys(landing: tuple[Path, ExpectedFaults]) -> None:
    assert read(landing, "flights").select("time_hour", "carrier", "flight").is_unique().all()
    assert read(landing, "weather").select("origin", "time_hour").is_unique().all()
