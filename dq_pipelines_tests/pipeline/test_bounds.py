"""Bounds that a Parquet file's footer states: rows that bronze cannot hold are found with them as without, in any files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dq_pipelines.pipeline.bronze.unstorable_values import unstorable_marked
from dq_pipelines.sources import parquet
from dq_pipelines.sources.parquet import ParquetSource

#: The first and the last day of the lake, those around them, and usual ones, in days since 1970.
DAYS = [-719_163, -719_162, -1, 0, 20_000, 2_932_896, 2_932_897]
DTYPES: list[Any] = [pl.Date, pl.Datetime("us"), pl.Datetime("ms"), pl.Datetime("us", "UTC"), pl.Datetime("ns")]
A_DAY = {"us": 86_400_000_000, "ms": 86_400_000, "ns": 86_400_000_000_000}

columns = st.tuples(st.sampled_from(DTYPES), st.lists(st.none() | st.sampled_from(DAYS), min_size=1, max_size=6))


def written(path: Path, dtype: Any, days: list[int | None]) -> None:
    unit = 1 if dtype == pl.Date else A_DAY[dtype.time_unit]
    numbers = [None if day is None else max(min(day * unit, 2**63 - 1), -(2**63) + 1) for day in days]
    values = pl.Series("at", numbers, dtype=pl.Int32 if dtype == pl.Date else pl.Int64).cast(dtype)
    pl.DataFrame({"id": range(len(days)), "at": values}).write_parquet(path, row_group_size=2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(files=st.lists(columns, min_size=1, max_size=3))
def test_marks_are_the_same_with_and_without_bounds(tmp_path: Path, files: list[tuple[Any, list[int | None]]]) -> None:
    for old in tmp_path.glob("*.parquet"):
        old.unlink()
    for number, (dtype, days) in enumerate(files):
        written(tmp_path / f"{number}.parquet", files[0][0] if dtype != pl.Date else dtype, days)
    source = ParquetSource(type="parquet", path=str(tmp_path / "*.parquet"))
    marked = []
    for many in (0, 1_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parquet, "_MANY", many)
            reading = source.read_or_text(source.inputs())
        assert many == 0 or not reading.bounds
        frame = unstorable_marked(reading.landed, "text", "why", reading.bounds)
        unmarked = {
            name: pl.lit(None, dtype=pl.String) for name in ("text", "why") if name not in frame.collect_schema()
        }
        marked.append(frame.with_columns(**unmarked).collect())
    assert_frame_equal(marked[0], marked[1], check_column_order=False)


def test_bounds_spare_the_look_at_each_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_MANY", 0)
    written(tmp_path / "a.parquet", pl.Date, [0, None, 20_000])
    source = ParquetSource(type="parquet", path=str(tmp_path))
    reading = source.read(source.inputs())
    assert reading.bounds == {"at": (0, 20_000)}
    assert unstorable_marked(reading.landed, "text", "why", reading.bounds) is reading.landed
    moments = pl.DataFrame({"at": [datetime(2024, 1, 2, tzinfo=UTC)]})
    moments.write_parquet(tmp_path / "a.parquet", statistics=False)
    assert not source.read(source.inputs()).bounds


def test_row_numbers_are_those_of_the_file_whatever_is_asked_for(tmp_path: Path) -> None:
    pl.DataFrame({"id": range(50_000), "text": "x"}).write_parquet(tmp_path / "a.parquet", row_group_size=7_000)
    source = ParquetSource(type="parquet", path=str(tmp_path))
    rows = source.read(source.inputs()).landed
    assert rows.select("_row").collect(engine="streaming")["_row"].to_list() == [*range(1, 50_001)]
    assert rows.filter(pl.col("id") == 43_210).select("_row", "text").collect().rows() == [(43_211, "x")]
    assert rows.select("_source").collect()["_source"].len() == 50_000
