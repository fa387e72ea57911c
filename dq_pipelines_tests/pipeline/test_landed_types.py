"""What a Parquet file's types become in silver: on the first run, on the next, and where everything is judged again."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from dq_pipelines_tests.workshop import Workshop

_TEN = datetime(2024, 1, 2, 10)  # noqa: DTZ001
_MOMENT = pa.array([1_704_189_600], pa.int64())

#: One value of each Parquet type, the type that silver gives it, and what is published; None for a refused row.
TYPES: dict[str, tuple[pa.Array, str, Any]] = {
    "boolean": (pa.array([True]), "string", "true"),
    "int8": (pa.array([7], pa.int8()), "int64", 7),
    "int16": (pa.array([7], pa.int16()), "boolean", None),
    "int32": (pa.array([7], pa.int32()), "decimal(5,2)", Decimal(7)),
    "int64": (pa.array([2**53 + 1]), "float64", None),
    "uint8": (pa.array([200], pa.uint8()), "int8", None),
    "uint16": (pa.array([7], pa.uint16()), "string", "7"),
    "uint32": (pa.array([2**32 - 1], pa.uint32()), "int64", 2**32 - 1),
    "uint64": (pa.array([2**63], pa.uint64()), "int64", None),
    "float": (pa.array([0.5], pa.float32()), "float64", 0.5),
    "double": (pa.array([1001.0]), "string", "1001"),
    "decimal": (pa.array([Decimal("1.2345")], pa.decimal128(10, 4)), "decimal(10,2)", None),
    "string": (pa.array(["12"]), "int32", 12),
    "large_string": (pa.array(["12"], pa.large_string()), "int32", 12),
    "binary": (pa.array([b"\xff"]), "string", None),
    "fixed_size_binary": (pa.array([b"ab"], pa.binary(2)), "string", "ab"),
    "date32": (pa.array([_TEN.date()]), "timestamp", datetime(2024, 1, 2, tzinfo=UTC)),
    "time32[ms]": (pa.array([36_000_500], pa.time32("ms")), "string", "10:00:00.500"),
    "time64[us]": (pa.array([1], pa.time64("us")), "string", "00:00:00.000001"),
    "time64[ns]": (pa.array([36_000_000_000_000], pa.time64("ns")), "string", "10:00:00"),
    "timestamp[s]": (_MOMENT.cast(pa.timestamp("s")), "datetime", _TEN),
    "timestamp[ms]": (_MOMENT.cast(pa.timestamp("s")).cast(pa.timestamp("ms")), "timestamp", _TEN.replace(tzinfo=UTC)),
    "timestamp[us]": (_MOMENT.cast(pa.timestamp("s")).cast(pa.timestamp("us")), "date", None),
    "timestamp[ns]": (_MOMENT.cast(pa.timestamp("s")).cast(pa.timestamp("ns")), "timestamp", _TEN.replace(tzinfo=UTC)),
    "timestamp[ns, with a rest]": (pa.array([1_704_189_600_000_000_001], pa.timestamp("ns")), "timestamp", None),
    "timestamp[us, UTC]": (_MOMENT.cast(pa.timestamp("s", "UTC")).cast(pa.timestamp("us", "UTC")), "datetime", _TEN),
    "timestamp[ms, Paris]": (_MOMENT.cast(pa.timestamp("s", "Europe/Paris")), "timestamp", _TEN.replace(tzinfo=UTC)),
    "duration": (pa.array([90], pa.duration("s")), "string", "PT1M30S"),
    "dictionary": (pa.array(["a"]).dictionary_encode(), "string", "a"),
    "list": (pa.array([["a", "b"]]), "string", '["a","b"]'),
    "list of floats": (pa.array([[1.5, None]]), "string", "[1.5,null]"),
    "struct": (pa.array([{"zip": "01234", "no": None}], pa.struct({"zip": pa.string(), "no": pa.int64()})), "int64", None),
    "map": (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "string", '{"k":1}'),
    "list of moments": (pa.array([[1_704_189_600_000_000_000, None]], pa.list_(pa.timestamp("ns"))), "string", '["2024-01-02 10:00:00",null]'),
    "struct of moments": (pa.array([{"at": 1}], pa.struct({"at": pa.timestamp("ns")})), "string", None),
    "list of times": (pa.array([[1]], pa.list_(pa.time64("us"))), "string", '["00:00:00.000001"]'),
    "struct of spans": (pa.array([{"span": 90}], pa.struct({"span": pa.duration("s")})), "string", '{"span":"PT1M30S"}'),
    "null": (pa.nulls(1), "string", None),
}  # fmt: skip


def file(column: pa.Array, key: int, **options: Any) -> bytes:
    """A file of two rows of one key: rows of which one must go are read and judged twice."""
    table = pa.table({"id": [key, key + 1, key + 1], "x": pa.concat_arrays([column, column, column])})
    found = io.BytesIO()
    parquet.write_table(table, found, **options)
    return found.getvalue()


@pytest.fixture(scope="module")
def every_type(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One table of every type, after the first run, the second one, and a rerun; with what was refused each time."""
    shop = Workshop(tmp_path_factory.mktemp("types"))
    arrays = {f"c{number}": array for number, (array, _, _) in enumerate(TYPES.values())}
    declared = ", ".join(f'c{number}: "{wanted}"' for number, (_, wanted, _) in enumerate(TYPES.values()))
    shop.table(
        "all",
        f"""
        source: {{type: parquet, path: "{{landing}}/*.parquet"}}
        silver:
          columns: {{id: int64, {declared}}}
          rules: [{{type: expect_column_values_to_be_unique, column: id}}]
        """,
    )
    states = []
    with shop.instance:
        for day in (1, 2):
            for name, array in arrays.items():
                number = int(name[1:])
                rows = {key: pa.nulls(1, some.type) for key, some in arrays.items()}
                rows |= {"id": pa.array([day * 1_000 + number]), name: array}
                # The last file of a day comes twice, under one key: its rows are judged in a second pass.
                copies = 2 if number == len(arrays) - 1 else 1
                for copy in range(copies):
                    found = io.BytesIO()
                    parquet.write_table(pa.table(rows), found)
                    shop.land(f"{day}-{number:02}-{copy}.parquet", found.getvalue())
            ran = shop.run("all")
            states.append((day, ran, shop.rows("silver/all"), shop.refused("all")))
        ran = shop.run("all", mode="rerun")
        states.append((0, ran, shop.rows("silver/all"), shop.refused("all")))
    return states


@pytest.mark.slow
def test_every_type_is_judged_alike_in_each_run(every_type: Any) -> None:
    for day, ran, rows, refused in every_type:
        assert ran.success, ran.failures
        by_key = {row["id"]: row for row in rows}
        days = (1, 2) if day == 0 else range(1, day + 1)
        for known in days:
            for number, (name, (_, _, published)) in enumerate(TYPES.items()):
                row, column = by_key.get(known * 1_000 + number), f"c{number}"
                if name == "null":
                    assert row is None  # its key came twice
                elif published is None:
                    assert row is None, (name, day)
                    assert ("cast", column) in {(rule, of) for rule, of, _ in refused}, (name, day)
                else:
                    assert row is not None, (name, day)
                    assert row[column] == published, (name, day)
        assert all(value for rule, _, value in refused if rule == "cast")


def test_moments_of_int96_are_published_by_the_first_run(shop: Workshop) -> None:
    """Spark writes such, and a key that repeats has the rows judged in a second pass."""
    shop.table(
        "orders",
        """
        source: {type: parquet, path: "{landing}/*.parquet"}
        silver: {keys: [id], columns: {id: int64, x: timestamp}}
        """,
    )
    moments = pa.array([_TEN], pa.timestamp("us"))
    shop.land("1.parquet", file(moments, 1, use_deprecated_int96_timestamps=True))
    ran = shop.run("orders")
    assert ran.success
    assert shop.rows("silver/orders", "x") == [_TEN.replace(tzinfo=UTC)] * 2


def test_a_row_that_bronze_cannot_hold_is_whole_in_quarantine(shop: Workshop) -> None:
    shop.table(
        "orders",
        """
        source: {type: parquet, path: "{landing}/*.parquet"}
        silver: {columns: {id: int64, x: timestamp}}
        """,
    )
    shop.land("1.parquet", file(pa.array([1_704_189_600_123_456_789], pa.timestamp("ns")), 1))
    shop.land("2.parquet", file(pa.array([_TEN], pa.timestamp("ns")), 5))
    assert shop.run("orders").success
    assert shop.rows("silver/orders", "id") == [5, 6, 6]
    assert shop.refused("orders") == [("cast", "x", "2024-01-02 10:00:00.123456789")] * 3
    landed = shop.lake.table("bronze/orders").scan().collect()
    assert landed.schema["x"] == pl.Datetime("us")
    assert '"id":"1"' in landed["_unreadable"].drop_nulls().to_list()[0]


def test_files_of_other_units_and_zones_are_one_batch(shop: Workshop) -> None:
    """Such land in microseconds and UTC anyway; what that cannot hold is told with its file, and nothing is cut."""
    shop.table("orders", '{source: {type: parquet, path: "{landing}/*.parquet"}, silver: {columns: {x: timestamp}}}')
    kinds = [("s", "UTC"), ("ms", "Europe/Paris"), ("us", "UTC"), ("ns", "UTC")]
    for number, (unit, zone) in enumerate(kinds):
        shop.land(f"{number}.parquet", file(pa.array([_TEN.replace(tzinfo=UTC)], pa.timestamp(unit, zone)), number))
    assert shop.run("orders").success
    assert shop.rows("silver/orders", "x") == [_TEN.replace(tzinfo=UTC)] * 12
    shop.land("4.parquet", file(pa.array([1], pa.timestamp("ns", "UTC")), 1))
    shop.land("5.parquet", file(pa.array([1], pa.timestamp("us", "UTC")), 1))
    assert "4.parquet: column 'x': wanted microseconds" in shop.run("orders").failures["orders"]
