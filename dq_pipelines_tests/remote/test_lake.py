"""Landing and lake in S3 hold what they hold on disk, run by run."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dq_pipelines.pipeline.gold import compute
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines_tests.remote.afar import Afar
from dq_pipelines_tests.workshop import Workshop

#: appended, partly refused; merged by a key; a partition per file; SQL over two of them.
TABLES = {
    "orders": """
        source: {type: csv, path: "{landing}/orders/*"}
        on_arrival: true
        silver:
          columns: {id: int64, amount: float64, note: string, customer: int64}
          rules:
            - {type: expect_column_values_to_be_between, column: amount, min_value: 0}
            - {type: expect_column_values_to_be_unique, column: id}
            - {type: expect_column_values_to_exist_in, column: customer, table: silver/customers, key: id}
        """,
    "customers": """
        source: {type: csv, path: "{landing}/customers"}
        silver:
          keys: [id]
          columns: {id: int64, name: string}
        """,
    "visits": """
        source: {type: ndjson, path: "{landing}/visits/**/*.jsonl"}
        partitions: {type: dynamic, by: file}
        silver:
          columns: {id: int64, at: date}
          rules: [{type: expect_column_values_to_not_be_null, column: at}]
        """,
    "spent": """
        gold:
          sql: |
            select c.name, sum(o.amount) as amount
            from silver.customers c join silver.orders o on o.customer = c.id group by all
        """,
}
#: What comes with the first run and with the second.
ARRIVALS: tuple[dict[str, bytes], ...] = (
    {
        "orders/a.csv": b"id,amount,note,customer\n1,10,x,1\n2,-5,y,2\n3,thirty,z,1\n4,4,w,9\n",
        "customers/a.csv": b"id,name\n1,Ann\n2,Bob\n",
        "visits/mon.jsonl": b'{"id": 1, "at": "2026-01-05"}\n{"id": 2, "at": null}\n',
        "visits/x/a b%20#1.jsonl": b'{"id": 3, "at": "2026-01-06"}\n{"id": 4\n',
    },
    {
        "orders/b.csv.gz": gzip.compress(b"id,amount,note,customer\n5,50,x,2\n5,51,y,2\n6,60,z,3\n"),
        "customers/b.csv": b"id,name\n2,Bobby\n3,Cleo\n",
        "visits/y/mon.jsonl": b'{"id": 5, "at": "2026-01-06"}\n',
    },
)
DAYS = ("mon", "a b%20#1")
#: What says where or when a row came in differs from place to place.
ELSEWHERE = ("_source", "_batch", "_ingested_at", "_id")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path / "here")
    with workshop.instance:
        yield workshop


def described(shop: Workshop) -> None:
    for name, text in TABLES.items():
        shop.table(name, text)


def content(shop: Workshop) -> dict[str, list[dict[str, Any]]]:
    keys = [f"{layer}/{name}" for layer in ("bronze", "silver", "quarantine") for name in TABLES if name != "spent"]
    return {
        key: sorted(({n: v for n, v in row.items() if n not in ELSEWHERE} for row in shop.rows(key)), key=repr)
        for key in [*keys, "gold/spent"]
    }


def by_hand(shop: Workshop) -> None:
    """Every table once, as an asset would do it, without Dagster."""
    tables = shop.project.tables
    for name in ("customers", "orders"):
        outcome = refine(TableRun(tables[name], shop.lake))
        assert outcome
        assert not outcome.blocked_by
    for day in DAYS:
        refine(TableRun(tables["visits"], shop.lake, day))
    assert not compute(TableRun(tables["spent"], shop.lake)).blocked_by


@pytest.mark.slow
def test_by_hand(here: Workshop, afar: Afar) -> None:
    for shop in (here, afar):
        described(shop)
    for arrivals in ARRIVALS:
        for shop in (here, afar):
            for name, data in arrivals.items():
                shop.land(name, data)
            by_hand(shop)
        assert content(afar) == content(here)
    found = content(afar)
    assert [row["name"] for row in found["silver/customers"]] == ["Ann", "Bobby", "Cleo"]
    assert found["gold/spent"] == [{"name": "Ann", "amount": 10.0}, {"name": "Cleo", "amount": 60.0}]
    assert {row["_partition"] for row in found["silver/visits"]} == set(DAYS)
    assert len(found["quarantine/orders"]) == 5
    assert afar.leftovers() == []
    # Nothing new: nothing is done.
    assert refine(TableRun(afar.project.tables["orders"], afar.lake)) is None
    for name, day in (("orders", None), ("visits", "mon")):
        assert rerun(TableRun(afar.project.tables[name], afar.lake, day))
    assert content(afar) == found
    assert afar.leftovers() == []


@pytest.mark.slow
def test_by_dagster(here: Workshop, afar: Afar) -> None:
    described(here)
    described(afar)
    afar.instance.add_dynamic_partitions("visits_files", list(DAYS))
    for arrivals in ARRIVALS:
        for name, data in arrivals.items():
            here.land(name, data)
            afar.land(name, data)
        by_hand(here)
        assert afar.run("customers").success
        assert afar.run("orders").success
        for day in DAYS:
            assert afar.run("visits", partition=day).success
        assert afar.run("spent").success
    assert content(afar) == content(here)
    assert afar.history.latest("silver/orders") is not None


@pytest.mark.slow
def test_columns_that_change(here: Workshop, afar: Afar) -> None:
    """New columns, then another type: one commit each, in a store as on disk, and nothing is left behind."""
    arrivals = (b"id,amount\n1,10\n2,20\n", b"id,amount,note\n2,21,x\n3,30,y\n", b"id,note\n4,z\n")
    for shop in (here, afar):
        for number, data in enumerate(arrivals):
            kind = "int32" if number < 2 else "string"
            shop.table(
                "orders",
                f"""
                source: {{type: csv, path: "{{landing}}/orders/*"}}
                schema: evolve
                silver: {{keys: [id], columns: {{id: {kind}, amount: int64}}}}
                """,
            )
            shop.land(f"orders/{number}.csv", data)
            outcome = refine(TableRun(shop.project.tables["orders"], shop.lake))
            assert outcome is not None
            assert not outcome.blocked_by
            version = number + (shop is afar)  # in a store a table is made before its first rows come
            assert [publication.version for publication in outcome.publications] == [version, version]
        assert shop.rows("silver/orders", "id", "amount", "note") == [
            ("1", 10, None),
            ("2", 21, "x"),
            ("3", 30, "y"),
            ("4", None, "z"),
        ]
        assert refine(TableRun(shop.project.tables["orders"], shop.lake)) is None
    assert afar.leftovers() == []
