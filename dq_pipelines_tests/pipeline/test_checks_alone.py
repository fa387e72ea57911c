"""Checks without their assets, assets without some of their checks: only what is selected is yielded."""

from __future__ import annotations

import pytest

from dq_pipelines_tests.workshop import Workshop

BETWEEN = "silver/orders:amount__between"
ROWS = "silver/orders:row_count_between"
ACCOUNTED = "silver/orders:rows_accounted_for"

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    PARTITIONS
    silver:
      columns: {id: int64, amount: float64}
      rules:
        - {type: expect_column_values_to_be_between, column: amount, min_value: 0, severity: warning}
        - {type: expect_table_row_count_to_be_between, min_value: 1}
"""


def orders(shop: Workshop, text: str = ORDERS, *, parted: bool = False) -> None:
    shop.table("orders", text.replace("PARTITIONS", "partitions: {type: dynamic, by: file}" if parted else ""))


@pytest.fixture
def published(shop: Workshop) -> Workshop:
    orders(shop)
    shop.land("orders/a.csv", "id,amount\n1,10\n2,-5\n")
    shop.land("orders/b.csv", "id,amount\n3,-1\n")
    assert shop.run("orders").success
    return shop


def test_the_checks_job_materializes_nothing(published: Workshop) -> None:
    versions = published.versions()
    ran = published.run_job("checks__orders")
    assert ran.success
    assert ran.materialized == {}
    assert published.versions() == versions
    assert set(ran.checks) >= {BETWEEN, ROWS}
    assert ran.number(BETWEEN, "unexpected_count") == 2
    assert ran.number(BETWEEN, "element_count") == 3
    assert ran.checks[BETWEEN].description == "2 of 3 published rows fail"
    assert ran.number(ROWS, "observed_value") == "3"
    assert ran.checks[ROWS].passed


def test_checks_alone_judge_the_whole_table_by_todays_rules(published: Workshop) -> None:
    orders(published, ORDERS.replace("min_value: 0", "min_value: 100").replace("min_value: 1}", "min_value: 9}"))
    ran = published.run_job("checks__orders")
    # A check that blocks ends the run in red, and says which one it was.
    assert ROWS.replace(":", ": ") in ran.failures["orders"]
    assert ran.number(BETWEEN, "unexpected_count") == 3
    assert not ran.checks[ROWS].passed
    verdict = published.history.latest("silver/orders")
    assert verdict is not None
    assert (verdict.run_id, verdict.batch, verdict.rows_in) == (ran.run_id, "", 0), "a re-check brings no rows in"


def test_one_check_alone(published: Workshop) -> None:
    ran = published.run(checks=[ROWS])
    assert ran.success
    assert set(ran.checks) == {ROWS}
    assert ran.materialized == {}


def test_assets_without_their_checks(published: Workshop) -> None:
    published.land("orders/c.csv", "id,amount\n4,1\n")
    ran = published.run("orders", checks=[])
    assert ran.success
    assert ran.checks == {}
    assert set(ran.materialized) == {"bronze/orders", "silver/orders", "quarantine/orders"}
    assert published.rows("silver/orders", "id") == [1, 2, 3, 4]


def test_an_asset_with_one_of_its_checks(published: Workshop) -> None:
    published.land("orders/c.csv", "id,amount\n4,-1\n")
    ran = published.run("silver/orders", checks=[BETWEEN])
    assert ran.success
    assert set(ran.materialized) == {"silver/orders"}
    assert {name: one.passed for name, one in ran.checks.items()} == {BETWEEN: False}


def test_an_unselected_rule_blocks_all_the_same(shop: Workshop) -> None:
    orders(shop, ORDERS.replace("min_value: 1}", "min_value: 9}"))
    shop.land("orders/a.csv", "id,amount\n1,10\n")
    ran = shop.run("silver/orders", checks=[BETWEEN])
    assert not ran.success
    assert "blocked by expect_table_row_count_to_be_between" in ran.failures["orders"]
    assert "silver/orders" not in shop.versions()


def test_before_anything_was_published(shop: Workshop) -> None:
    orders(shop)
    shop.land("orders/a.csv", "id,amount\n1,10\n")
    ran = shop.run_job("checks__orders")
    assert ran.failures["orders"].startswith("silver/orders is not published yet: materialize it first")
    assert shop.versions() == {}


def test_of_all_partitions_together(shop: Workshop) -> None:
    orders(shop, parted=True)
    shop.land("orders/mon.csv", "id,amount\n1,10\n2,-5\n")
    shop.land("orders/tue.csv", "id,amount\n3,-1\n4,-2\n5,-3\n")
    shop.instance.add_dynamic_partitions("orders_files", ["mon", "tue"])
    for day, unexpected in (("mon", 1), ("tue", 3)):
        ran = shop.run("orders", partition=day)
        assert ran.number(BETWEEN, "unexpected_count") == unexpected
    ran = shop.run_job("checks__orders")
    assert ran.success
    assert ran.materialized == {}
    assert ran.number(BETWEEN, "unexpected_count") == 4
    assert ran.number(ROWS, "observed_value") == "5"


def test_gold_too(shop: Workshop) -> None:
    orders(shop)
    shop.table(
        "daily",
        """
        gold:
          sql: select amount from silver.orders
          rules:
            - {type: expect_column_values_to_be_between, column: amount, min_value: 0, severity: warning}
        """,
    )
    shop.land("orders/a.csv", "id,amount\n1,10\n2,-5\n")
    assert shop.run("orders", "daily").success
    versions = shop.versions()
    ran = shop.run_job("checks__daily")
    assert ran.materialized == {}
    assert shop.versions() == versions
    assert ran.unexpected() == {"gold/daily:amount__between": 1}
