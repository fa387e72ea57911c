"""A file that was mended long after: it takes the place of its own earlier version, and of no newer rows of others."""

from __future__ import annotations

import pytest

from dq_pipelines_tests.workshop import Workshop

PRICES = """
source: {{type: csv, path: "{{landing}}/*.csv"}}
silver:
  keys: [id]
{merge}
  columns: {{id: int64, price: int64, at: int64}}
"""


def price(shop: Workshop, name: str, *rows: str) -> None:
    shop.land(name, "\n".join(["id,price,at", *rows, ""]))


@pytest.mark.slow
@pytest.mark.parametrize("order", ["", "  merge: {order_by: at}"], ids=["arrival", "order_by"])
def test_an_old_file_that_was_mended_reverts_newer_rows_only_if_order_by_says_so(shop: Workshop, order: str) -> None:
    shop.table("prices", PRICES.format(merge=order))
    price(shop, "a.csv", "1,10,1", "2,20,1", "4,40,1")
    assert shop.run().success
    price(shop, "b.csv", "2,21,2", "3,31,2")
    assert shop.run().success
    price(shop, "a.csv", "1,11,1", "2,22,9", "3,32,1", "4,41,0")
    price(shop, "c.csv", "1,12,1")
    wanted = {
        # Key 1 is in both files of the batch, and c came later than a did at first.
        "": [(1, 12), (2, 21), (3, 31), (4, 41)],
        "  merge: {order_by: at}": [(1, 12), (2, 22), (3, 31), (4, 40)],
    }[order]
    ran = shop.run()
    assert ran.success
    assert ran.checks["silver/prices:rows_accounted_for"].passed
    assert shop.rows("silver/prices", "id", "price") == wanted
    for _ in range(2):
        assert shop.run(mode="rerun").success
        # Anew, the former version of the mended file counts no more: its key 4 has the value of the later one.
        assert shop.rows("silver/prices", "id", "price") == [*wanted[:3], (4, 41)]


def test_steps_over_many_rows_are_asked_batch_by_batch(shop: Workshop) -> None:
    """The earlier version of a file pushes nothing out that came from another file."""
    first = "  transform: [{deduplicate: {by: [id], keep: first, order_by: price}}]"
    shop.table("prices", PRICES.format(merge=first))
    price(shop, "a.csv", "1,10,1")
    assert shop.run().success
    price(shop, "b.csv", "1,21,2")
    assert shop.run().success
    price(shop, "a.csv", "1,11,1", "2,22,9")
    assert shop.run().success
    assert shop.rows("silver/prices", "id", "price") == [(1, 21), (2, 22)]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["keys: [id]", "write: append"])
def test_a_rerun_judges_no_batch_of_which_nothing_counts(shop: Workshop, mode: str) -> None:
    """No rule blocks the rerun for the rows that such a batch has no more."""
    rules = [
        "{type: expect_table_row_count_to_be_between, min_value: 2, on_failure: block}",
        "{type: expect_column_max_to_be_between, column: price, min_value: 1, on_failure: block}",
    ]
    shop.table("prices", PRICES.format(merge="").replace("keys: [id]", mode) + f"  rules: [{', '.join(rules)}]\n")
    price(shop, "a.csv", "1,10,1", "2,20,1")
    assert shop.run().success
    price(shop, "a.csv", "1,11,1", "2,21,1")
    assert shop.run().success
    assert shop.run(mode="rerun").success
    assert shop.rows("silver/prices", "price") == [11, 21]
    price(shop, "a.csv")
    ran = shop.run(mode="rerun")  # nothing counts at all: then a rule may say so
    assert "is blocked by expect_table_row_count_to_be_between (observed 0)" in str(ran.failures)


@pytest.mark.slow
def test_a_row_that_its_file_has_no_more_takes_no_place(shop: Workshop) -> None:
    shop.table("prices", PRICES.format(merge=""))
    price(shop, "a.csv", "1,10,1")
    assert shop.run().success
    price(shop, "b.csv", "2,20,1", "3,30,1")
    assert shop.run().success
    price(shop, "b.csv", "3,31,1")
    assert shop.run(mode="rerun").success
    price(shop, "a.csv", "1,10,1", "2,22,1", "3,32,1")
    assert shop.run().success
    assert shop.rows("silver/prices", "id", "price") == [(1, 10), (2, 22), (3, 31)]
