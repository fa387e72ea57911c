"""Eager gold: requested once for each publication of an input, by Dagster's own evaluation of its condition."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg
import pytest

from dq_pipelines.assembly import build_definitions
from dq_pipelines.project import load_sound_tables
from dq_pipelines_tests.workshop import Workshop

ORDERS = """
    source: {type: csv, path: "{landing}/orders/*.csv"}
    silver:
      columns: {id: int64, amount: int64}
      rules: [{type: expect_column_values_to_be_between, column: amount, min_value: 0, mostly: 0.5}]
"""
READINGS = """
    source: {type: csv, path: "{landing}/readings/*.csv"}
    partitions: {type: daily, start: 2026-11-20, in_path: '%Y-%m-%d'}
    silver: {columns: {id: int64}}
"""


def gold(shop: Workshop, name: str, sql: str) -> None:
    shop.table(name, f"gold: {{sql: '{sql}'}}\nautomation: eager\n")


@dataclass
class Daemon:
    """Evaluates conditions as Dagster's daemon does, from a cursor on."""

    shop: Workshop
    cursor: Any = None

    def tick(self, at: str | None = None, definitions: dg.Definitions | None = None) -> list[str]:
        """The tables that are requested at a moment (now, without one), which are not run."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            result = dg.evaluate_automation_conditions(
                definitions or self.shop.definitions,
                self.shop.instance,
                cursor=self.cursor,
                evaluation_time=datetime.fromisoformat(f"{at}+00:00") if at else datetime.now(UTC),
            )
        self.cursor = result.cursor
        keys = {each.key for each in result.results if not each.true_subset.is_empty}
        return sorted(key.to_user_string() for key in keys if isinstance(key, dg.AssetKey))


def land_order(shop: Workshop, name: str, *amounts: int) -> None:
    shop.land(f"orders/{name}.csv", "id,amount\n" + "".join(f"1,{amount}\n" for amount in amounts))


@pytest.mark.slow
def test_refused_rows_of_an_input_hold_nothing_back(shop: Workshop) -> None:
    shop.table("orders", ORDERS)
    gold(shop, "totals", "select count(*) as n from silver.orders")
    with shop.instance:
        daemon = Daemon(shop)
        assert daemon.tick() == []
        land_order(shop, "a", 1, 2, -1)
        assert shop.run("orders").success
        assert shop.rows("quarantine/orders", "amount") == ["-1"]
        assert daemon.tick() == ["gold/totals"]
        assert daemon.tick() == []
        # A blocked batch publishes nothing.
        land_order(shop, "b", -1, -2, -3)
        assert "nothing was published" in shop.run("orders").failures["orders"]
        assert daemon.tick() == []


@pytest.mark.slow
def test_days_of_a_daily_table(shop: Workshop) -> None:
    """Weekends without a file, today that is not there yet, and midnight hold nothing back, and make nothing due."""
    shop.table("readings", READINGS)
    gold(shop, "counts", "select count(*) as n from silver.readings")
    gold(shop, "doubles", "select 2 * n as n from gold.counts")
    both = ["gold/counts", "gold/doubles"]
    with shop.instance:
        daemon = Daemon(shop)
        days = ["2026-11-20", "2026-11-23", "2026-11-24"]
        for number, day in enumerate(days, start=1):
            shop.land(f"readings/{day}.csv", f"id\n{number}\n")
            assert shop.run("readings", partition=day).success
            assert daemon.tick(f"{day}T12:00:00") == both
            assert shop.run("counts", "doubles").success
            assert daemon.tick(f"{day}T12:01:00") == []
        assert shop.rows("gold/doubles", "n") == [6]
        assert daemon.tick("2026-11-25T00:00:30") == []
        assert daemon.tick("2026-11-26T00:00:30") == []
        # A late file of a day past, after the midnight on which another day began.
        shop.land("readings/2026-11-20_late.csv", "id\n9\n")
        assert shop.run("readings", partition="2026-11-20").success
        assert daemon.tick("2026-11-26T00:01:00") == both


@pytest.mark.slow
def test_what_asks_for_gold_and_what_does_not(shop: Workshop) -> None:
    shop.table("orders", ORDERS)
    shop.table("readings", READINGS)
    gold(shop, "totals", "select count(*) as n from silver.orders, silver.readings")
    with shop.instance:
        daemon = Daemon(shop)
        land_order(shop, "a", 1)
        steps: list[tuple[str, Callable[[], Any], list[str]]] = [
            ("one input, the other is not there", partial(shop.run, "orders"), []),
            ("bronze alone", partial(_land_and_run, shop, "b", "bronze/orders"), []),
            ("the other input", partial(_reading, shop, "2026-11-20"), ["gold/totals"]),
            ("what was requested fails, and nothing changes", lambda: None, []),
            ("the next publication", partial(_land_and_run, shop, "c", "orders"), ["gold/totals"]),
            # Published after the request and before the next evaluation, while what was requested ran.
            ("the one after a request", partial(_publish_then_compute, shop), ["gold/totals"]),
            ("gold, as requested", partial(shop.run, "totals"), []),
            ("together with gold", partial(_land_and_run, shop, "e", "orders", "totals"), []),
            ("checks alone", partial(shop.run, checks=["silver/orders:rows_accounted_for"]), []),
        ]
        for said, do, wanted in steps:
            do()
            assert (said, daemon.tick()) == (said, wanted)
            assert (said, daemon.tick()) == (said, [])


def _land_and_run(shop: Workshop, name: str, *keys: str) -> None:
    land_order(shop, name, 1)
    assert shop.run(*keys).success


def _reading(shop: Workshop, day: str) -> None:
    shop.land(f"readings/{day}.csv", "id\n1\n")
    assert shop.run("readings", partition=day).success


def _publish_then_compute(shop: Workshop) -> None:
    _land_and_run(shop, "d", "orders")
    assert shop.run("totals").success


@pytest.mark.slow
def test_an_input_that_is_left_out_for_a_while(shop: Workshop) -> None:
    """What was published before a file became faulty is asked for once the file is mended."""
    shop.table("orders", ORDERS)
    gold(shop, "totals", "select count(*) as n from silver.orders")

    def definitions() -> dg.Definitions:
        project = load_sound_tables(shop.root / "assets_config", environment={})
        return build_definitions(project, stores=shop.stores)

    with shop.instance:
        daemon = Daemon(shop)
        assert daemon.tick() == []
        _land_and_run(shop, "a", "orders")
        shop.table("orders", "no table\n")
        assert daemon.tick(definitions=definitions()) == []
        shop.table("orders", ORDERS)
        assert daemon.tick(definitions=definitions()) == ["gold/totals"]
        assert daemon.tick(definitions=definitions()) == []
