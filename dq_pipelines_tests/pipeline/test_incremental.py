"""What a run does with what is new, what it leaves alone, and what `rerun` makes anew."""

from __future__ import annotations

import os
from typing import Any

import dagster as dg
import pytest

from dq_pipelines_tests.workshop import Workshop

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    on_arrival: true
    silver:
      columns: {id: int64, amount: float64, note: string}
      rules:
        - {type: expect_column_values_to_be_between, column: amount, min_value: LOWEST}
"""
MERGED = ORDERS.replace("silver:", "silver:\n      keys: [id]")


def orders(shop: Workshop, lowest: int = 0, text: str = ORDERS) -> None:
    shop.table("orders", text.replace("LOWEST", str(lowest)))


@pytest.fixture
def shop_with_orders(shop: Workshop) -> Workshop:
    orders(shop)
    shop.land("orders/a.csv", "id,amount,note\n1,10,x\n2,-5,y\n3,thirty,z\n")
    return shop


def requests(said: Any) -> list[dg.RunRequest]:
    return list(said.run_requests or ()) if isinstance(said, dg.SensorResult) else []


def test_one_more_file_and_one_tick_process_it_alone(shop_with_orders: Workshop) -> None:
    shop = shop_with_orders
    assert shop.run("orders").success
    assert requests(shop.tick("orders_arrivals")) == []
    second = shop.land("orders/b.csv", "id,amount,note\n4,40,w\n5,-1,v\n")
    asked = requests(shop.tick("orders_arrivals"))
    assert [request.tags["dq/inputs"] for request in asked] == ["1"]
    ran = shop.run("orders")
    silver = ran.materialized["silver/orders"]
    assert (silver["rows_in"], silver["published"], silver["refused"]) == (2, 1, 1)
    assert silver["source_files"] == [str(second)]
    assert silver["dagster/row_count"] == 2
    assert shop.rows("silver/orders", "id") == [1, 4]
    assert shop.rows("quarantine/orders", "id") == ["2", "3", "5"]
    assert requests(shop.tick("orders_arrivals")) == []


def test_the_same_arrival_starts_one_run_only(shop_with_orders: Workshop) -> None:
    [first] = requests(shop_with_orders.tick("orders_arrivals"))
    [again] = requests(shop_with_orders.tick("orders_arrivals"))
    assert first.run_key == again.run_key
    shop_with_orders.land("orders/b.csv", "id,amount,note\n4,40,w\n")
    [other] = requests(shop_with_orders.tick("orders_arrivals"))
    assert other.run_key != first.run_key


def test_running_again_changes_nothing(shop_with_orders: Workshop) -> None:
    shop = shop_with_orders
    first = shop.run("orders")
    versions, rows = shop.versions(), shop.rows("silver/orders") + shop.rows("quarantine/orders")
    second = shop.run("orders")
    assert second.success
    assert shop.versions() == versions == {"bronze/orders": 0, "quarantine/orders": 0, "silver/orders": 0}
    assert shop.rows("silver/orders") + shop.rows("quarantine/orders") == rows
    # The last verdict stands, and the UI goes on showing it.
    assert second.unexpected() == first.unexpected() == {"silver/orders:amount__between": 1}
    assert second.materialized["silver/orders"]["nothing_new"] is True
    assert second.materialized["silver/orders"]["dagster/row_count"] == 1


def test_a_touched_file_is_no_new_file(shop_with_orders: Workshop) -> None:
    shop = shop_with_orders
    shop.run("orders")
    versions = shop.versions()
    path = shop.landing / "orders/a.csv"
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 5_000_000_000))
    assert requests(shop.tick("orders_arrivals")) == []
    assert shop.run("orders").success
    assert shop.versions() == versions


@pytest.mark.parametrize(("text", "ids"), [(ORDERS, [1, 1, 4]), (MERGED, [1, 4])], ids=["append", "merge"])
def test_a_changed_file_is_read_again(shop: Workshop, text: str, ids: list[int]) -> None:
    orders(shop, text=text)
    path = shop.land("orders/a.csv", "id,amount,note\n1,10,x\n")
    shop.run("orders")
    shop.land("orders/a.csv", "id,amount,note\n1,11,x\n4,40,new\n")
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 5_000_000_000))
    assert len(requests(shop.tick("orders_arrivals"))) == 1
    ran = shop.run("orders")
    assert ran.materialized["silver/orders"]["rows_in"] == 2
    assert shop.rows("silver/orders", "id") == ids
    assert (4, 40.0) in shop.rows("silver/orders", "id", "amount")
    assert (1, 11.0) in shop.rows("silver/orders", "id", "amount")


@pytest.mark.slow
@pytest.mark.parametrize("by", ["config", "tag"])
def test_rerun_gives_what_a_fresh_lake_would_hold(shop: Workshop, by: str) -> None:
    orders(shop)
    shop.land("orders/a.csv", "id,amount,note\n1,10,x\n2,-5,y\n3,thirty,z\n")
    shop.run("orders")
    shop.land("orders/b.csv", "id,amount,note\n4,40,w\n5,-1,v\n")
    shop.run("orders")
    orders(shop, lowest=20)
    ran = shop.run("orders", mode="rerun") if by == "config" else shop.run("orders", tags={"dq/mode": "rerun"})
    assert ran.success
    assert ran.materialized["silver/orders"]["rows_in"] == 5
    fresh = Workshop(shop.root / "fresh")
    with fresh.instance:
        orders(fresh, lowest=20)
        for name in ("a", "b"):
            fresh.land(f"orders/{name}.csv", (shop.landing / f"orders/{name}.csv").read_bytes())
        assert fresh.run("orders").success
        moment = ("_source", "_batch", "_ingested_at", "_id")
        for key in ("silver/orders", "quarantine/orders"):
            ours, theirs = (
                [{k: v for k, v in row.items() if k not in moment} for row in s.rows(key)] for s in (shop, fresh)
            )
            assert ours == theirs
    assert shop.rows("silver/orders", "id") == [4]
    # And nothing is left to do.
    versions = shop.versions()
    assert shop.run("orders").success
    assert shop.versions() == versions


PARTED = ORDERS.replace("    on_arrival", "    partitions: {type: dynamic, by: file}\n    on_arrival")


def test_one_partition_is_processed_and_rerun_alone(shop: Workshop) -> None:
    orders(shop, text=PARTED)
    shop.land("orders/mon.csv", "id,amount,note\n1,10,x\n2,-5,y\n")
    shop.land("orders/tue.csv", "id,amount,note\n3,30,x\n4,4,y\n")
    asked = requests(shop.tick("orders_arrivals"))
    assert [request.partition_key for request in asked] == ["mon", "tue"]
    for day in ("mon", "tue"):
        assert shop.run("orders", partition=day).success
    assert shop.rows("silver/orders", "id", "_partition") == [(1, "mon"), (3, "tue"), (4, "tue")]
    orders(shop, lowest=20, text=PARTED)
    ran = shop.run("orders", partition="tue", mode="rerun")
    assert ran.materialized["silver/orders"]["rows_in"] == 2
    assert ran.materialized["silver/orders"]["dagster/partition_row_count"] == 1
    assert shop.rows("silver/orders", "id", "_partition") == [(1, "mon"), (3, "tue")]
    assert shop.rows("quarantine/orders", "id", "_partition") == [("2", "mon"), ("4", "tue")]
    assert requests(shop.tick("orders_arrivals")) == []


def test_bronze_alone_lands_and_silver_catches_up(shop_with_orders: Workshop) -> None:
    shop = shop_with_orders
    ran = shop.run("bronze/orders")
    assert ran.success
    assert set(ran.materialized) == {"bronze/orders"}
    assert shop.versions() == {"bronze/orders": 0}
    assert requests(shop.tick("orders_arrivals")) == []
    ran = shop.run("silver/orders", "quarantine/orders")
    assert set(ran.materialized) == {"silver/orders", "quarantine/orders"}
    assert shop.versions() == {"bronze/orders": 0, "quarantine/orders": 0, "silver/orders": 0}
    assert shop.rows("silver/orders", "id") == [1]


def test_a_batch_of_which_nothing_is_kept_is_consumed_once(shop: Workshop) -> None:
    """Delta's merge makes no commit where there is nothing to merge: such a batch was judged anew in each run."""
    shop.table("t", 'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {keys: [id], columns: {id: int64}}\n')
    for name, value in (("a", "1"), ("b", "x")):
        shop.land(f"{name}.csv", f"id\n{value}\n")
        assert shop.run("t").success
    versions = shop.versions()
    assert shop.run("t").success
    assert shop.versions() == versions


@pytest.mark.parametrize("blocked", [False, True])
def test_of_two_waiting_versions_the_later_counts(shop: Workshop, blocked: bool) -> None:
    least = "1000" if blocked else "0"
    text = """
        source: {type: csv, path: "{landing}/waits.csv"}
        silver:
          columns: {id: int64}
          rules: [{type: expect_table_row_count_to_be_between, min_value: LEAST}]
        """
    shop.table("waits", text.replace("LEAST", least))
    for content in ("id\n1\n2\n", "id\n1\n3\n4\n"):
        shop.land("waits.csv", content)
        shop.run("waits") if blocked else shop.run("bronze/waits")
    assert shop.rows("silver/waits") == []
    shop.table("waits", text.replace("LEAST", "0"))
    assert shop.run("waits").success
    assert shop.rows("silver/waits", "id") == [1, 3, 4]
