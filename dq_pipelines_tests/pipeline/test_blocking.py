"""What keeps a batch from being published, what only warns, and what is downstream of either."""

from __future__ import annotations

import dagster as dg
import pytest

from dq_pipelines_tests.workshop import Workshop

BETWEEN = "{type: expect_column_values_to_be_between, column: amount, min_value: 0"

#: What follows `expect_…` in YAML -> the check's name and what it says.
BLOCKING = {
    "on_failure": (BETWEEN + ", on_failure: block}", "1 of 3 rows fail"),
    "mostly of a refusing rule": (BETWEEN + ", mostly: 0.9}", "1 of 3 rows fail"),
    "mostly of a dropping rule": (BETWEEN + ", mostly: 0.9, on_failure: drop}", "1 of 3 rows fail"),
    "table rule": ("{type: expect_table_row_count_to_be_between, min_value: 5}", "observed 3"),
    "aggregate": ("{type: expect_column_max_to_be_between, column: amount, max_value: 1}", "observed 10"),
    "rule that does not fit": ("{type: expect_column_values_to_not_be_null, column: colour}", "colour"),
}


def orders(shop: Workshop, rule: str, more: str = "") -> None:
    shop.table(
        "orders",
        f"""
        source: {{type: csv, path: "{shop.landing}/orders/*.csv"}}
        silver:
          columns: {{id: int64, amount: float64}}
          {more}
          rules:
            - {rule}
        """,
    )


def land(shop: Workshop, name: str = "a") -> None:
    shop.land(f"orders/{name}.csv", "id,amount\n1,10\n2,-5\n3,7\n")


@pytest.mark.parametrize("kind", BLOCKING)
def test_a_blocked_batch_lands_and_is_not_published(shop: Workshop, kind: str) -> None:
    rule, why = BLOCKING[kind]
    orders(shop, rule)
    land(shop)
    ran = shop.run("orders")
    assert not ran.success
    assert ran.failures["orders"].startswith("silver/orders: nothing was published, batch b-")
    assert why in ran.failures["orders"]
    assert not ran.retried
    assert shop.versions() == {"bronze/orders": 0}
    assert len(shop.rows("bronze/orders")) == 3
    assert shop.leftovers() == []
    assert set(ran.materialized) == {"bronze/orders"}
    [failed] = [one for one in ran.checks.values() if not one.passed]
    assert failed.severity is dg.AssetCheckSeverity.ERROR
    verdict = shop.history.latest("silver/orders")
    assert verdict is not None
    assert verdict.blocked
    assert [result.blocks for result in verdict.results if not result.success] == [True]


def test_the_next_run_publishes_what_was_blocked_once_the_rule_is_met(shop: Workshop) -> None:
    orders(shop, "{type: expect_table_row_count_to_be_between, min_value: 4}")
    land(shop)
    assert not shop.run("orders").success
    # Again, with nothing new: the batch is judged again, and blocked again.
    assert not shop.run("orders").success
    assert shop.versions() == {"bronze/orders": 0}
    shop.land("orders/b.csv", "id,amount\n4,1\n")
    ran = shop.run("orders")
    assert ran.success
    assert ran.materialized["silver/orders"]["rows_in"] == 4
    assert shop.rows("silver/orders", "id") == [1, 2, 3, 4]
    verdict = shop.history.latest("silver/orders")
    assert verdict is not None
    assert not verdict.blocked


def test_the_mended_file_replaces_the_blocked_one(shop: Workshop) -> None:
    orders(shop, BETWEEN + ", on_failure: block}")
    land(shop)
    assert not shop.run("orders").success
    shop.land("orders/a.csv", "id,amount\n1,10\n2,5\n3,7\n")
    ran = shop.run("orders")
    assert ran.success
    assert shop.rows("silver/orders", "id", "amount") == [(1, 10.0), (2, 5.0), (3, 7.0)]
    assert shop.rows("quarantine/orders") == []


def test_a_good_batch_goes_on_beside_published_ones_after_a_bad_one(shop: Workshop) -> None:
    orders(shop, BETWEEN + ", on_failure: block}")
    shop.land("orders/0.csv", "id,amount\n0,1\n")
    assert shop.run("orders").success
    land(shop)
    assert not shop.run("orders").success
    assert shop.rows("silver/orders", "id") == [0]


@pytest.mark.parametrize("severity", ["warning", "info"])
@pytest.mark.parametrize("rule", [BETWEEN, "{type: expect_table_row_count_to_be_between, min_value: 5"])
def test_warnings_keep_every_row(shop: Workshop, severity: str, rule: str) -> None:
    orders(shop, f"{rule}, severity: {severity}}}")
    land(shop)
    ran = shop.run("orders")
    assert ran.success
    assert shop.rows("silver/orders", "id") == [1, 2, 3]
    assert shop.rows("quarantine/orders") == []
    [failed] = [one for one in ran.checks.values() if not one.passed]
    assert failed.severity is dg.AssetCheckSeverity.WARN


def test_dropped_rows_are_counted_and_kept_nowhere(shop: Workshop) -> None:
    orders(shop, BETWEEN + ", on_failure: drop}", more='transform: [{filter: "id <> 3"}]')
    land(shop)
    ran = shop.run("orders")
    assert ran.success
    silver = ran.materialized["silver/orders"]
    assert {name: silver[name] for name in ("rows_in", "published", "refused", "dropped")} == {
        "rows_in": 3, "published": 1, "refused": 0, "dropped": 2,
    }  # fmt: skip
    assert shop.rows("silver/orders", "id") == [1]
    assert shop.rows("quarantine/orders") == []
    assert ran.checks["silver/orders:rows_accounted_for"].passed


# --- downstream ------------------------------------------------------------------------------------

DAILY = """
    gold:
      sql: select count(*) as orders from silver.orders
"""
LINES = """
    source: {type: csv, path: "{landing}/lines/*.csv"}
    silver:
      columns: {order_id: int64}
      rules:
        - {type: expect_column_values_to_exist_in, column: order_id, table: silver/orders, key: id}
"""


@pytest.fixture
def blocked(shop: Workshop) -> Workshop:
    """A table that was published once and then blocked, a gold table and a foreign key that read it."""
    orders(shop, BETWEEN + ", on_failure: block}")
    shop.table("daily", DAILY)
    shop.table("lines", LINES)
    shop.land("orders/0.csv", "id,amount\n0,1\n")
    shop.land("lines/a.csv", "order_id\n0\n")
    assert shop.run("orders").success
    land(shop)
    return shop


def test_in_the_same_run_it_never_starts(blocked: Workshop) -> None:
    ran = blocked.run("orders", "daily", "lines")
    assert set(ran.failures) == {"orders"}
    assert ran.started == {"orders"}
    assert "gold/daily" not in blocked.versions()


@pytest.mark.parametrize("table", ["daily", "lines"])
def test_in_another_run_it_refuses_to_start(blocked: Workshop, table: str) -> None:
    first = blocked.run("orders")
    assert not first.success
    ran = blocked.run(table)
    assert not ran.success
    assert "waits: the last batch of silver/orders was blocked by" in ran.failures[table]
    assert first.run_id in ran.failures[table]
    assert not {"gold/daily", "silver/lines"} & set(blocked.versions())
    # Landing goes on: bronze reads nothing but its source.
    if table == "lines":
        assert blocked.run("bronze/lines").success
    blocked.land("orders/a.csv", "id,amount\n1,10\n")
    assert blocked.run("orders").success
    assert blocked.run(table).success


def test_a_warning_upstream_stops_nothing(shop: Workshop) -> None:
    orders(shop, BETWEEN + ", severity: warning}")
    shop.table("daily", DAILY)
    land(shop)
    ran = shop.run("orders", "daily")
    assert ran.success
    assert shop.rows("gold/daily", "orders") == [3]


def test_refused_rows_upstream_stop_nothing(shop: Workshop) -> None:
    orders(shop, BETWEEN + "}")
    shop.table("daily", DAILY)
    land(shop)
    ran = shop.run("orders", "daily")
    assert ran.success
    assert not ran.checks["silver/orders:amount__between"].passed
    assert shop.rows("gold/daily", "orders") == [2]


def test_checks_alone_do_not_hide_a_blocked_batch(blocked: Workshop) -> None:
    assert not blocked.run("orders").success
    assert blocked.run_job("checks__orders").success  # what is published is still good
    ran = blocked.run("daily")
    assert not ran.success, "the batch that was blocked still waits"
