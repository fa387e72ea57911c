"""How silver takes a batch: append, merge by keys, overwrite."""

from __future__ import annotations

from typing import Any

import pytest

from dq_pipelines_tests.workshop import Workshop

FIRST = "id,amount\n1,10\n2,20\n"
SECOND = "id,amount\n2,21\n3,30\n"

#: `silver:` keys -> what is published after the second file.
MODES: dict[str, list[tuple[int, float]]] = {
    "": [(1, 10.0), (2, 20.0), (2, 21.0), (3, 30.0)],
    "keys: [id]": [(1, 10.0), (2, 21.0), (3, 30.0)],
    "{write: append, keys: [id]}": [(1, 10.0), (2, 20.0), (2, 21.0), (3, 30.0)],
    "{write: overwrite}": [(2, 21.0), (3, 30.0)],
    "{write: overwrite, keys: [id]}": [(2, 21.0), (3, 30.0)],
}


def orders(shop: Workshop, how: str, rules: str = "", partitions: str = "") -> None:
    keys = "\n          ".join(part.strip() for part in how.strip("{}").replace(", keys", "|keys").split("|"))
    shop.table(
        "orders",
        f"""
        source: {{type: csv, path: "{shop.landing}/orders/*.csv"}}
        {partitions}
        silver:
          {keys}
          columns: {{id: int64, amount: float64}}
          rules: [{rules}]
        """,
    )


def counts(metadata: dict[str, Any]) -> tuple[int, int, int, int]:
    return tuple(metadata[name] for name in ("rows_in", "published", "refused", "dropped"))


@pytest.mark.parametrize("how", MODES)
def test_modes(shop: Workshop, how: str) -> None:
    orders(shop, how)
    shop.land("orders/a.csv", FIRST)
    assert shop.run("orders").success
    shop.land("orders/b.csv", SECOND)
    ran = shop.run("orders")
    assert counts(ran.materialized["silver/orders"]) == (2, 2, 0, 0)
    assert shop.rows("silver/orders", "id", "amount") == MODES[how]
    assert ran.materialized["silver/orders"]["dagster/row_count"] == len(MODES[how])
    assert shop.leftovers() == []


@pytest.mark.parametrize("how", MODES)
def test_both_at_once(shop: Workshop, how: str) -> None:
    """What lands together is one batch: only merging tells its rows apart by key."""
    orders(shop, how)
    shop.land("orders/a.csv", FIRST)
    shop.land("orders/b.csv", SECOND)
    ran = shop.run("orders")
    merged = how == "keys: [id]"
    assert counts(ran.materialized["silver/orders"]) == (4, 3 if merged else 4, 0, 1 if merged else 0)
    assert shop.rows("silver/orders", "id", "amount") == (MODES["keys: [id]"] if merged else MODES[""])


def test_of_rows_with_the_same_key_the_last_one_wins_and_the_others_are_counted(shop: Workshop) -> None:
    orders(shop, "keys: [id]")
    shop.land("orders/a.csv", "id,amount\n1,1\n1,2\n2,5\n1,3\n")
    ran = shop.run("orders")
    assert counts(ran.materialized["silver/orders"]) == (4, 2, 0, 2)
    assert shop.rows("silver/orders", "id", "amount") == [(1, 3.0), (2, 5.0)]
    assert ran.checks["silver/orders:rows_accounted_for"].passed


def test_a_row_without_its_merge_key_is_refused(shop: Workshop) -> None:
    orders(shop, "keys: [id]")
    shop.land("orders/a.csv", "id,amount\n1,1\n,2\n,3\n")
    ran = shop.run("orders")
    assert counts(ran.materialized["silver/orders"]) == (3, 1, 2, 0)
    assert ran.unexpected() == {"silver/orders:id__not_null": 2}
    assert shop.refused("orders") == [("expect_column_values_to_not_be_null", "id", None)] * 2
    assert shop.rows("silver/orders", "id") == [1]


def test_a_uniqueness_rule_on_the_keys_refuses_instead(shop: Workshop) -> None:
    orders(shop, "keys: [id]", rules="{type: expect_column_values_to_be_unique, column: id}")
    shop.land("orders/a.csv", "id,amount\n1,1\n1,2\n2,5\n")
    ran = shop.run("orders")
    assert counts(ran.materialized["silver/orders"]) == (3, 1, 2, 0)
    assert shop.refused("orders") == [("expect_column_values_to_be_unique", "id", "1")] * 2


def test_a_merge_looks_for_keys_in_every_partition(shop: Workshop) -> None:
    """A key is looked for in the whole table: a row that moved to another file is updated, not doubled."""
    orders(shop, "keys: [id]", partitions="partitions: {type: dynamic, by: file}")
    shop.land("orders/mon.csv", FIRST)
    shop.land("orders/tue.csv", SECOND)
    shop.instance.add_dynamic_partitions("orders_files", ["mon", "tue"])
    for day in ("mon", "tue"):
        assert shop.run("orders", partition=day).success
    assert shop.rows("silver/orders", "id", "amount", "_partition") == [
        (1, 10.0, "mon"), (2, 21.0, "tue"), (3, 30.0, "tue"),
    ]  # fmt: skip


def test_a_row_that_did_not_cast_never_competes_in_deduplication(shop: Workshop) -> None:
    shop.table(
        "t",
        f"""
        source: {{type: csv, path: "{shop.landing}/t.csv"}}
        silver:
          columns: {{id: int64, n: int64}}
          transform:
            - deduplicate: {{by: [id], keep: last}}
        """,
    )
    shop.land("t.csv", "id,n\n1,10\n1,x\n2,y\n2,20\n3,30\n3,31\n")
    assert shop.run("t").success
    assert shop.rows("silver/t", "id", "n") == [(1, 10), (2, 20), (3, 31)]
    assert shop.rows("quarantine/t", "id", "n") == [("1", "x"), ("2", "y")]


def test_the_same_rule_twice(shop: Workshop) -> None:
    rule = "{type: expect_column_values_to_be_between, column: id, min_value: 2}"
    shop.table(
        "t",
        f'source: {{type: csv, path: "{shop.landing}/t.csv"}}\nsilver: {{columns: {{id: int64}}, rules: [{rule}, {rule}]}}',
    )
    shop.land("t.csv", "id,n\n1,10\n2,20\n")
    ran = shop.run("t")
    assert ran.success
    assert shop.rows("silver/t", "id") == [2]


#: `silver.transform` -> what is published of two rows and a line too long. Bronze has them as they landed in each case.
STEPS: dict[str, list[tuple[object, ...]]] = {
    "[]": [(1, "10"), (2, "x")],
    "[{derive: {amount: \"amount || '!'\"}}]": [(1, "10!"), (2, "x!")],
    "[{rename: {amount: other}}, {derive: {amount: id + 1}}]": [(1, 2), (2, 3)],
    "[{filter: id > 1}]": [(2, "x")],
    '[{sql: "SELECT id, amount FROM self WHERE id > 1"}]': [(2, "x")],
}


@pytest.mark.parametrize("steps", STEPS)
def test_bronze_has_every_cell_as_it_landed_whatever_the_steps_make_of_it(shop: Workshop, steps: str) -> None:
    shop.table(
        "orders",
        f"""
        source: {{type: csv, path: "{shop.landing}/orders/*.csv"}}
        silver:
          columns: {{id: int64}}
          transform: {steps}
        """,
    )
    shop.land("orders/a.csv", "id,amount\n01,10\n2,x\n3,4,5,6\n")
    ran = shop.run("orders")
    assert ran.success
    assert shop.rows("silver/orders", "id", "amount") == STEPS[steps]
    landed = shop.rows("bronze/orders", "id", "amount", "_row", "_unreadable")
    assert landed == [("01", "10", 2, None), ("2", "x", 3, None), (None, None, 4, "3,4,5,6")]
    assert shop.rows("quarantine/orders", "_row") == [4]
    assert ran.checks["silver/orders:rows_accounted_for"].passed
