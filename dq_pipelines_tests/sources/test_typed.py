"""Parquet, ORC and Delta: types as they are, files put together by name, broken files a SourceError."""

from __future__ import annotations

import datetime as dt
import gc
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal
from pyarrow import orc, parquet

from dq_pipelines.errors import SourceError
from dq_pipelines.sources import read
from dq_pipelines.sources.common_types import widened
from dq_pipelines.sources.frames import ROWS_AT_ONCE, Chunks

TABLE = pl.DataFrame(
    {
        "i": [1, None, 3],
        "d": [dt.date(2024, 1, 1), None, dt.date(1900, 1, 1)],
        "s": ["a", "é", None],
        "l": [[1, 2], [], None],
        "n": [{"x": 1.5}, {"x": None}, {"x": -0.0}],
    }
)
WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "parquet": lambda frame, path: frame.write_parquet(path),
    "orc": lambda frame, path: orc.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()), path),
}
KINDS = pytest.mark.parametrize("kind", list(WRITERS))


@KINDS
def test_rows_come_back_as_they_are_with_their_place(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    WRITERS[kind](TABLE, path)
    found = read({"type": kind, "path": str(path)})
    assert_frame_equal(found.rows.collect(), TABLE)
    assert found.landed.select("_source", "_row").collect().rows() == [(str(path), row) for row in (1, 2, 3)]
    # What is asked of the lazy frame is what comes: a column, a count, a filter on a column not shown.
    assert found.landed.select(pl.len()).collect().item() == 3
    assert found.landed.filter(pl.col("s") == "é").select("d").collect().rows() == [(None,)]
    assert found.landed.head(2).select("_row").collect().rows() == [(1,), (2,)]


@KINDS
def test_files_are_put_together_by_name_and_widened(tmp_path: Path, kind: str) -> None:
    WRITERS[kind](pl.DataFrame({"a": [1], "b": ["x"]}, schema={"a": pl.Int32, "b": pl.String}), tmp_path / "1")
    WRITERS[kind](pl.DataFrame({"c": [True], "a": [2**40]}), tmp_path / "2")
    found = read({"type": kind, "path": str(tmp_path)}).landed.collect()
    assert found.schema["a"] == pl.Int64
    assert found.drop("_source").rows() == [(1, "x", None, 1), (2**40, None, True, 1)]
    WRITERS[kind](pl.DataFrame({"a": ["text"]}), tmp_path / "3")
    with pytest.raises(SourceError, match=r"3: wanted column 'a' as Int64, as in .*2, got String"):
        read({"type": kind, "path": str(tmp_path)})


@pytest.mark.parametrize(
    ("one", "other", "wide"),
    [
        (pl.Int8(), pl.UInt8(), pl.Int64()),
        (pl.UInt32(), pl.Int64(), pl.Int64()),
        (pl.Int32(), pl.Float64(), pl.Float64()),
        (pl.Int32(), pl.Float32(), pl.Float64()),
        (pl.Int64(), pl.Float64(), None),
        (pl.UInt64(), pl.Int64(), None),
        (pl.Date(), pl.Datetime("us"), pl.Datetime("us")),
        (pl.Date(), pl.Datetime("ns"), None),
        (pl.Datetime("us", "UTC"), pl.Datetime("us"), None),
        (pl.Decimal(10, 2), pl.Decimal(12, 4), pl.Decimal(12, 4)),
        (pl.Decimal(10, 2), pl.Decimal(10, 4), None),
        (pl.Null(), pl.String(), pl.String()),
        (pl.Boolean(), pl.String(), None),
    ],
)
def test_types_are_widened_only_without_a_loss(one: pl.DataType, other: pl.DataType, wide: pl.DataType | None) -> None:
    assert widened(one, other) == wide
    assert widened(other, one) == wide


def test_many_files_do_not_wait_for_one_another(tmp_path: Path) -> None:
    for number in range(600):  # more than half of the threads that polars has
        pl.DataFrame({"a": [number]}).write_parquet(tmp_path / f"{number:03}")
    found = read({"type": "parquet", "path": str(tmp_path)})
    assert found.landed.select(pl.len(), pl.sum("a")).collect(engine="streaming").rows() == [(600, 599 * 300)]


def test_a_time_zone_that_polars_does_not_know_is_told_in_utc(tmp_path: Path) -> None:
    instant = dt.datetime(2024, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    parquet.write_table(pa.table({"t": pa.array([instant], pa.timestamp("us", "+02:00"))}), tmp_path / "x")
    assert read({"type": "parquet", "path": str(tmp_path / "x")}).rows.collect()["t"].to_list() == [instant]


@KINDS
def test_what_is_no_such_file_is_refused_when_read(tmp_path: Path, kind: str) -> None:
    WRITERS[kind](TABLE, tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for content in (b"", b"not a file of any kind", whole[: len(whole) // 2]):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(SourceError, match="x: wanted a"):
            read({"type": kind, "path": str(tmp_path / "x")})


def test_a_broken_page_is_a_source_error_whoever_collects(tmp_path: Path) -> None:
    path = tmp_path / "x"
    rows = ROWS_AT_ONCE * 3
    pl.DataFrame({"a": range(rows)}).write_parquet(path, compression="zstd", row_group_size=ROWS_AT_ONCE)
    stamp = path.stat().st_mtime_ns
    content = bytearray(path.read_bytes())
    second = len(content) // 2  # the row group in the middle
    content[second : second + 20_000] = b"\xff" * 20_000
    path.write_bytes(content)
    os.utime(path, ns=(stamp, stamp))
    found = read({"type": "parquet", "path": str(path)})
    for asked in (found.rows, found.landed.filter(pl.col("a") < 0), found.rows.select(pl.sum("a"))):
        for engine in ("streaming", "in-memory"):
            with pytest.raises(SourceError, match="x: wanted"):
                asked.collect(engine=engine)


@KINDS
def test_a_file_that_changes_before_it_is_collected_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    WRITERS[kind](TABLE, path)
    found = read({"type": kind, "path": str(path)})
    WRITERS[kind](TABLE.reverse(), path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(SourceError, match="x changed while it was read"):
        found.landed.collect()


def test_a_delta_table_is_read_at_the_version_that_was_listed(tmp_path: Path) -> None:
    from dq_pipelines.sources.delta import DeltaSource

    pl.DataFrame({"a": [1, 2]}).write_delta(tmp_path / "t")
    source = DeltaSource(type="delta", path=str(tmp_path / "t"))
    before = source.inputs()
    pl.DataFrame({"a": [3]}).write_delta(tmp_path / "t", mode="append")
    assert source.read(before).rows.collect()["a"].sort().to_list() == [1, 2]
    now = source.inputs()
    assert now != before
    found = source.read(now).landed.collect()
    assert sorted(found["a"]) == [1, 2, 3]
    assert found["_row"].to_list() == [1, 2, 3]
    assert read({"type": "delta", "path": str(tmp_path / "t"), "version": 0}).rows.collect().height == 2
    with pytest.raises(SourceError, match="version 9"):
        read({"type": "delta", "path": str(tmp_path / "t"), "version": 9})
    with pytest.raises(SourceError, match="a folder without _delta_log"):
        read({"type": "delta", "path": str(tmp_path)})


def test_parked_chunks_go_with_the_last_plan_that_reads_them() -> None:
    from dq_pipelines.sources.frames import reading

    chunks = Chunks()
    chunks.add(pl.DataFrame({"a": ["x"], "_row": [1]}))
    folder = chunks._folder
    plan = reading(chunks.pieces("here")).landed.select("a")
    del chunks
    gc.collect()
    assert plan.collect().rows() == [("x",)]
    del plan
    gc.collect()
    assert not folder.exists()
