"""Each type that a Parquet file may have is read as pyarrow reads it, or refused in a sentence with its column."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import uuid
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from dq_pipelines.errors import SourceError
from dq_pipelines.sources import read
from dq_pipelines_tests.workshop import Workshop

NOON = dt.datetime(2024, 1, 2, 12, 30, 15, 250000)  # noqa: DTZ001 - naive on purpose
FAR = [dt.datetime(9999, 12, 31), dt.datetime(1, 1, 1), None]  # noqa: DTZ001
TEN = decimal.Decimal("10.25")
DAY = dt.date(2024, 1, 2)
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")

#: By name, the array, and how it is written where that is not as usual.
READ: dict[str, tuple[pa.Array, dict[str, Any]]] = {
    **{
        f"{kind}": (pa.array([most, 0, None], kind), {})
        for kind, most in [
            (pa.int8(), 127), (pa.int16(), 2**15 - 1), (pa.int32(), 2**31 - 1), (pa.int64(), 2**63 - 1),
            (pa.uint8(), 255), (pa.uint16(), 2**16 - 1), (pa.uint32(), 2**32 - 1), (pa.uint64(), 2**64 - 1),
        ]
    },
    "float16": (pa.array([1.5, -2.0, None], pa.float16()), {}),
    "float32": (pa.array([1.5, 1e30, None], pa.float32()), {}),
    "float64": (pa.array([1.5, 1e300, None]), {}),
    "decimal9": (pa.array([TEN, None], pa.decimal128(9, 2)), {"store_decimal_as_integer": True}),
    "decimal18": (pa.array([TEN, None], pa.decimal128(18, 2)), {"store_decimal_as_integer": True}),
    "decimal38": (pa.array([decimal.Decimal(10**35), None], pa.decimal128(38, 2)), {}),
    "bool": (pa.array([True, False, None]), {}),
    "text": (pa.array(["é", "", None]), {}),
    "large_text": (pa.array(["é", None], pa.large_string()), {}),
    "text_view": (pa.array(["é", None], pa.string_view()), {}),
    "words": (pa.array(["a", "b", "a", None]).dictionary_encode(), {}),
    "bytes": (pa.array([b"\xff\x00", b"", None]), {}),
    "fixed": (pa.array([b"abcd", None], pa.binary(4)), {}),
    "json": (pa.array(['{"a":1}', None], pa.json_()), {}),
    "nothing": (pa.nulls(2), {}),
    "date": (pa.array([DAY, dt.date(1, 1, 1), dt.date(9999, 12, 31), None]), {}),
    **{f"at_{unit}": (pa.array([NOON.replace(microsecond=0), None], pa.timestamp(unit)), {}) for unit in ("s", "ms", "us", "ns")},
    **{f"zoned_{unit}": (pa.array([NOON.replace(microsecond=0), None], pa.timestamp(unit, "UTC")), {}) for unit in ("ms", "us", "ns")},
    "berlin": (pa.array([NOON, None], pa.timestamp("us", "Europe/Berlin")), {}),
    "offset": (pa.array([NOON, None], pa.timestamp("us", "+02:00")), {}),
    "int96": (pa.array([NOON, None], pa.timestamp("ns")), {"use_deprecated_int96_timestamps": True}),
    "int96_far": (pa.array(FAR, pa.timestamp("us")), {"use_deprecated_int96_timestamps": True}),
    "time_ms": (pa.array([dt.time(1, 2, 3, 250000), None], pa.time32("ms")), {}),
    "time_us": (pa.array([dt.time(23, 59, 59, 999999), dt.time(0), None], pa.time64("us")), {}),
    "list": (pa.array([[1, None], [], None], pa.list_(pa.int32())), {}),
    "pairs": (pa.array([[1, 2], None], pa.list_(pa.int32(), 2)), {}),
    "list_of_nothing": (pa.array([[None], None], pa.list_(pa.null())), {}),
    "list_of_int96": (pa.array([[NOON], None], pa.list_(pa.timestamp("ns"))), {"use_deprecated_int96_timestamps": True}),
    "struct": (pa.array([{"a": 1, "b": {"c": "x"}}, None]), {}),
    "struct_of_float16": (pa.array([{"a": 1.5}, None], pa.struct([("a", pa.float16())])), {}),
    "struct_of_nothing": (pa.array([{"a": None}, None], pa.struct([("a", pa.null())])), {}),
}  # fmt: skip


def lay(path: Path, values: pa.Array, options: dict[str, Any]) -> Any:
    """Write a file of one column, and say what pyarrow reads of it."""
    parquet.write_table(pa.table({"c": values}), path, **options)
    return parquet.read_table(path, coerce_int96_timestamp_unit="us").column("c").to_pylist()


@pytest.mark.parametrize("name", READ)
def test_a_type_is_read_as_pyarrow_reads_it(tmp_path: Path, name: str) -> None:
    wanted = lay(tmp_path / "x.parquet", *READ[name])
    found = read({"type": "parquet", "path": str(tmp_path / "x.parquet")}).landed.collect()
    assert found["c"].to_list() == wanted
    assert found["_row"].to_list() == list(range(1, len(wanted) + 1))


def test_a_uuid_is_text_and_a_map_its_pairs(tmp_path: Path) -> None:
    lay(tmp_path / "x.parquet", pa.array([ID.bytes, None], pa.uuid()), {})
    assert read({"type": "parquet", "path": str(tmp_path / "x.parquet")}).rows.collect()["c"].to_list() == [
        str(ID),
        None,
    ]
    lay(tmp_path / "y.parquet", pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int32())), {})
    assert read({"type": "parquet", "path": str(tmp_path / "y.parquet")}).rows.collect()["c"].to_list() == [
        {"a": 1},
        None,
    ]


REFUSED: list[tuple[pa.Array, str]] = [
    (
        pa.array([TEN], pa.decimal256(60, 2)),
        r"column 'c' of type decimal\(60, 2\): write it as a decimal of at most 38",
    ),
    (pa.array([{"a": TEN}], pa.struct([("a", pa.decimal256(39, 2))])), r"column 'c.a' of type decimal\(39, 2\)"),
    (pa.array([[TEN]], pa.list_(pa.decimal256(39, 2))), r"column 'c' of type decimal\(39, 2\)"),
]


@pytest.mark.parametrize(("values", "said"), REFUSED)
def test_what_nothing_can_hold_is_refused_with_its_column(tmp_path: Path, values: pa.Array, said: str) -> None:
    parquet.write_table(pa.table({"id": pa.array(range(len(values))), "c": values}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match=f"x.parquet: .*{said}"):
        read({"type": "parquet", "path": str(tmp_path / "x.parquet")}).landed.collect()


def test_a_column_that_comes_twice_is_refused(tmp_path: Path) -> None:
    parquet.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), tmp_path / "x.parquet")
    with pytest.raises(
        SourceError, match=r"x.parquet: wanted each column once, got 'a' twice: give one of them another"
    ):
        read({"type": "parquet", "path": str(tmp_path / "x.parquet")})


def test_a_file_of_a_type_that_nothing_holds_stands_aside_alone(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.table("t", 'source: {type: parquet, path: "{landing}/*"}\nsilver: {}\n')
    shop.landing.mkdir()
    parquet.write_table(pa.table({"a": pa.array([1.5], pa.float16())}), shop.landing / "1.parquet")
    parquet.write_table(pa.table({"a": pa.array([TEN], pa.decimal256(60, 2))}), shop.landing / "2.parquet")
    with shop.instance:
        ran = shop.run("t")
    assert ran.success
    assert shop.rows("silver/t", "a") == [1.5]
    assert shop.lake.table("silver/t").scan().collect_schema()["a"] == pl.Float32
    assert "decimal(60, 2)" in str(ran.checks["bronze/t:inputs_readable"].metadata)


CORPORA = os.environ.get("DQ_CORPORA")


@pytest.mark.skipif(CORPORA is None, reason="DQ_CORPORA does not say where other people's files lie")
def test_files_of_other_people() -> None:
    folder = Path(str(CORPORA), "read-right")
    for name, said in [
        ("bigdecimal", r"column .* of type decimal\(77, \d+\)"),
    ]:
        with pytest.raises(SourceError, match=f"{name}.parquet: .*{said}"):
            read({"type": "parquet", "path": str(folder / f"{name}.parquet")}).landed.collect()
    for name, refused, said in [
        ("negative-timetz", 3, "wanted times from 00:00 to 24:00"),
        ("int96_from_spark", 1, "wanted moments that micro"),
    ]:
        found = read({"type": "parquet", "path": str(folder / f"{name}.parquet")})
        stored = parquet.read_metadata(folder / f"{name}.parquet").num_rows
        unreadable = found.unreadable.collect()
        assert (unreadable.height, found.landed.collect().height) == (refused, stored - refused)
        assert all(said in why for why in unreadable["_why"])


def test_a_run_refuses_the_rows_with_such_a_value_and_publishes_the_others(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.table("t", 'source: {type: parquet, path: "{landing}/*"}\nsilver: {}\n')
    shop.landing.mkdir()
    times = pa.array([1, 86_400_000], pa.int32()).cast(pa.time32("ms"))
    parquet.write_table(pa.table({"n": [1, 2], "at": times}), shop.landing / "1.parquet")
    with shop.instance:
        ran = shop.run("t")
    assert ran.success
    assert shop.rows("silver/t", "n") == [1]
    ((number, reasons),) = shop.rows("quarantine/t", "_row", "_reasons")
    assert (number, reasons[0]["rule"], reasons[0]["value"]) == (2, "unreadable", '{"n": 2, "at": "86400000 ms"}')


def test_a_value_that_nobody_can_tell_makes_its_row_unreadable(tmp_path: Path) -> None:
    day = 86_400 * 10**6
    times = pa.array([0, -1, day - 1, None, day, 5], pa.int64()).cast(pa.time64("us"))
    rows = pa.table({"n": [1, 2, 3, 4, 5, 6], "text": list("abcdef"), "at": times, "_row": [None, 1.5, 2, 3, 4, 5]})
    parquet.write_table(rows, tmp_path / "x.parquet")
    found = read({"type": "parquet", "path": str(tmp_path)})
    assert found.landed.select("n", "_row").collect().rows() == [(1, 1), (3, 3), (4, 4), (6, 6)]
    assert found.landed.select("_row_2").collect()["_row_2"].to_list() == [None, 2.0, 3.0, 5.0]
    assert found.landed.select(pl.len()).collect().item() == 4
    assert found.unreadable.drop("_source").collect().rows() == [
        (2, '{"n": 2, "text": "b", "at": "-1 us", "_row": 1.5}',
         "wanted times from 00:00 to 24:00 in column 'at' (time64[us]), got -1 us"),
        (5, '{"n": 5, "text": "e", "at": "86400000000 us", "_row": 4.0}',
         "wanted times from 00:00 to 24:00 in column 'at' (time64[us]), got 86400000000 us"),
    ]  # fmt: skip
