"""Columns whose names Polars would take for patterns: beside others that they fit, each stays itself the whole way."""

from __future__ import annotations

import io

import polars as pl
import pytest

from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines_tests.workshop import Workshop, at_once

pytestmark = pytest.mark.slow

NAMES = ["^a$", "*", "^.*$"]

ORDERS = """
    source: {type: SOURCE, path: "{landing}/orders/*"}
    schema: evolve
    silver:
      WRITES
      columns: {"NAME": int64, a: string}
      rules:
        - {type: expect_column_values_to_be_between, column: "NAME", min_value: 0}
        - {type: expect_column_values_to_be_unique, column: "NAME"}
        - {type: expect_compound_columns_to_be_unique, column_list: ["NAME", a]}
        - {type: expect_column_mean_to_be_between, column: "NAME", max_value: 100}
"""


def orders(shop: Workshop, name: str, source: str, writes: str = "") -> TableRun:
    shop.table("orders", ORDERS.replace("WRITES", writes).replace("NAME", name).replace("SOURCE", source))
    return TableRun(shop.project.tables["orders"], shop.lake)


def parquet(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("writes", ["", "keys: ['NAME']"], ids=["append", "merge"])
def test_from_file_to_quarantine_and_back(shop: Workshop, name: str, writes: str) -> None:
    work = orders(shop, name, "csv", writes)
    shop.land("orders/1.csv", f"{name},a\n1,x\n-2,y\n3,z\nq,w\n4,v\n4,v\n")
    ran = shop.run("orders")
    assert ran.success, ran.failures
    assert shop.rows("bronze/orders", name) == sorted(["1", "-2", "3", "q", "4", "4"], key=repr)
    assert shop.rows("silver/orders", name, "a") == [(1, "x"), (3, "z")]
    between, unique = "expect_column_values_to_be_between", "expect_column_values_to_be_unique"
    assert {(rule, value) for rule, column, value in shop.refused("orders") if column == name} == {
        (between, "-2"),
        ("cast", "q"),
        (unique, "4"),
    }
    ids = {row["a"]: row["_id"] for row in shop.rows("quarantine/orders")}
    done = replay(at_once(work), by="ann", edits={ids["y"]: {name: "2"}, ids["w"]: {name: "5"}})
    assert len(done.published) == 2
    shop.land("orders/2.csv", f"{name},a\n6,u\n")
    assert shop.run("orders").success
    for mode in ("incremental", "rerun"):
        assert shop.run("orders", mode=mode).success
        assert shop.rows("silver/orders", name, "a") == [(1, "x"), (2, "y"), (3, "z"), (5, "w"), (6, "u")]
        assert len(shop.rows("quarantine/orders")) == 4


@pytest.mark.parametrize("name", NAMES)
def test_that_come_in_other_types_and_not_at_all(shop: Workshop, name: str) -> None:
    """What was landed in one type is cast to that of bronze, and what is published to that of the table."""
    shop.table("orders", 'source: {type: parquet, path: "{landing}/orders/*"}\nschema: evolve\nsilver: {}')
    other = next(each for each in NAMES if each != name)
    frames = [
        pl.DataFrame({name: [1], "a": ["x"]}, schema_overrides={name: pl.Int64}),
        pl.DataFrame({name: [2], "a": ["y"]}, schema_overrides={name: pl.UInt8}),
        pl.DataFrame({"a": ["z"]}),
        pl.DataFrame({name: ["four"], "a": ["w"]}),
        pl.DataFrame({name: [5], "a": ["v"], other: [0.5]}, schema_overrides={name: pl.Int32}),
    ]
    for number, frame in enumerate(frames):
        shop.land(f"orders/{number}", parquet(frame))
        ran = shop.run("orders")
        assert ran.success, ran.failures
    found = shop.rows("silver/orders", "a", name, other)
    wanted = [("x", "1", None), ("y", "2", None), ("z", None, None), ("w", "four", None), ("v", "5", 0.5)]
    assert found == sorted(wanted, key=repr)
    assert shop.run("orders", mode="rerun").success
    assert shop.rows("silver/orders", "a", name, other) == found
