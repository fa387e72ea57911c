"""A lake, a history and YAML of the release before: today's code goes on with them.

`release_before.tar.xz` was written by commit f26f50b: the tables below ran there, one batch was blocked, one refused row was
dismissed, and then the landing folder was moved with the rest.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from dq_pipelines.doctor.accounting import account
from dq_pipelines.history.queries.table_status import latest_statuses
from dq_pipelines.pipeline.bronze.new_inputs import new_inputs
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines_tests.workshop import Workshop

TABLES = {
    "sales": """
        source: {type: csv, path: "{landing}/sales/*.csv"}
        silver:
          keys: [id]
          columns: {id: int64, sold_at: datetime, amount: "decimal(12,2)", product: string}
          rules:
            - {type: expect_column_values_to_be_between, column: amount, min_value: 0, on_failure: quarantine}
            - {type: expect_column_values_to_exist_in, column: product, table: silver/products, key: product}
            - {type: expect_column_values_to_not_be_null, column: sold_at, severity: warning}
        """,
    "products": """
        source: {type: json, path: "{landing}/products/*.json"}
        silver:
          write: overwrite
          columns: {product: string, name: string}
        """,
    "visits": """
        source: {type: csv, path: "{landing}/visits/*/*.csv"}
        partitions: {type: daily, start: 2026-11-01, in_path: "visits/%Y-%m-%d/"}
        silver:
          columns: {visitor: string, pages: int32}
          rules: [{type: expect_column_values_to_be_between, column: pages, max_value: 100, on_failure: quarantine}]
        """,
    "orders": """
        source: {type: csv, path: "{landing}/orders/*.csv"}
        silver:
          columns: {id: int64}
          rules: [{type: expect_table_row_count_to_be_between, min_value: 2}]
        """,
    "revenue": """
        gold:
          sql: SELECT product, sum(amount) AS amount FROM silver.sales GROUP BY product
        """,
}
INCREMENTAL = ("sales", "products", "visits", "orders")


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    with tarfile.open(Path(__file__).with_name("release_before.tar.xz")) as archive:
        archive.extractall(tmp_path, filter="data")
    shop = Workshop(tmp_path)
    monkeypatch.setenv("DQ_LANDING", str(shop.landing))
    for name, text in TABLES.items():
        shop.table(name, text)
    with shop.instance:
        yield shop


def run_of(shop: Workshop, name: str) -> TableRun:
    return TableRun(shop.project.tables[name], shop.lake, run_id="today")


def test_nothing_is_read_again_and_nothing_is_lost(before: Workshop) -> None:
    for name in INCREMENTAL:
        assert new_inputs(before.project.tables[name], before.lake) == []
        accounted = account(run_of(before, name), before.history)
        assert accounted.is_right, accounted
    assert before.rows("silver/sales", "id", "amount") == [(1, Decimal("11.00")), (6, Decimal("2.00"))]
    assert before.rows("silver/visits", "visitor", "_partition") == [("ann", "2026-11-01"), ("ann", "2026-11-02")]


def test_history_knows_how_each_table_stands(before: Workshop) -> None:
    statuses = {status.table: status.status for status in latest_statuses(before.history)}
    assert statuses["silver/orders"] == "blocked"
    assert statuses.keys() == {"silver/sales", "silver/products", "silver/visits", "silver/orders", "gold/revenue"}
    assert len(before.history.latest_of_partitions(["silver/visits"])) == 2


@pytest.mark.slow
def test_runs_go_on_where_the_release_before_stopped(before: Workshop) -> None:
    before.land("sales/c.csv", "id,sold_at,amount,product\n1,2026-11-03T08:00:00,12.00,pen\n7,,-5.00,ink\n")
    before.land("orders/b.csv", "id\n2\n")
    ran = before.run("sales", "orders", "revenue")
    assert ran.success, ran.failures
    assert before.rows("silver/sales", "id", "amount") == [(1, Decimal("12.00")), (6, Decimal("2.00"))]
    assert before.rows("silver/orders", "id") == [1, 2], "the batch that was blocked is judged with the new one"
    assert before.rows("gold/revenue", "product", "amount") == [("ink", Decimal("2.00")), ("pen", Decimal("12.00"))]
    assert all(account(run_of(before, name), before.history).is_right for name in INCREMENTAL)


@pytest.mark.slow
def test_refused_rows_are_replayed_and_dismissed_ones_are_not(before: Workshop) -> None:
    products = [{"product": name, "name": name.title()} for name in ("pen", "ink", "cup")]
    before.land("products/p.json", json.dumps(products))
    assert before.run("products").success
    assert len(replay(run_of(before, "sales"), by="ann").published) == 1
    assert before.rows("silver/sales", "id") == [1, 3, 6]
    dismissed = [
        row["_reasons"][0]["value"] for row in before.rows("quarantine/sales") if row["_status"] == "dismissed"
    ]
    assert dismissed == ["-1.00"]


@pytest.mark.slow
def test_a_rerun_makes_the_same_rows_of_bronze(before: Workshop) -> None:
    assert before.run("visits", partition="2026-11-01", mode="rerun").success
    assert before.run("sales", mode="rerun").success
    assert before.rows("silver/visits", "visitor", "_partition") == [("ann", "2026-11-01"), ("ann", "2026-11-02")]
    assert before.rows("silver/sales", "id", "amount") == [(1, Decimal("11.00")), (6, Decimal("2.00"))]
