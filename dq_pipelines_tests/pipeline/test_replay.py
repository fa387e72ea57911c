"""Refused rows that are published after all: once, by today's rules, and for good."""

from __future__ import annotations

import pytest

from dq_pipelines.errors import RuleError
from dq_pipelines.pipeline.quarantine.corrections import landed_names
from dq_pipelines.pipeline.quarantine.quarantine_status import ALL, RefusedRowFilter, refused_of, set_status
from dq_pipelines.pipeline.quarantine.refused_rows import DISMISSED, ID, OPEN
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines_tests.pipeline.refused_orders import ONE, ORDERS, again, id_of, orders, statuses, work
from dq_pipelines_tests.workshop import Workshop


def test_a_mended_rule_lets_rows_through_once(landed: Workshop) -> None:
    orders(landed, least=-10)
    done = again(landed)
    assert (done.counts.rows_in, done.counts.published, done.counts.refused) == (4, 1, 3)
    assert landed.rows("silver/orders", "id", "amount") == [(1, 10), (2, -5)]
    assert statuses(landed) == [(3, "replayed"), (4, "open"), (5, "open"), (6, "open")]
    assert again(landed).published == ()
    assert landed.rows("silver/orders", "id") == [1, 2]
    (told,) = [row for row in landed.rows("quarantine/orders") if row["_status"] == "replayed"]
    assert (told["_status_by"], told["_into"]) == ("ann", done.batch)
    assert told["_status_at"] is not None
    assert landed.leftovers() == []


def test_nothing_is_written_where_nothing_changes(landed: Workshop) -> None:
    before = landed.versions()
    assert again(landed).published == ()
    orders(landed, least=-10)
    assert len(replay(work(landed), ALL, by="ann", dry_run=True).published) == 1
    assert landed.versions() == before
    assert landed.leftovers() == []


def test_what_is_refused_still_has_todays_reasons(landed: Workshop) -> None:
    orders(landed, least=-60, rules="- {type: expect_column_values_to_be_in_set, column: id, value_set: [1, 2]}")
    again(landed)
    assert statuses(landed) == [(3, "replayed"), (4, "open"), (5, "open"), (6, "open")]
    reasons = {row["_row"]: row["_reasons"] for row in landed.rows("quarantine/orders")}
    assert reasons[4] == [{"rule": "expect_column_values_to_be_in_set", "column": "id", "value": "3"}]
    assert [reason["rule"] for reason in reasons[5]] == ["cast"]


def test_a_mended_row_is_published_and_stays_so_in_a_rerun(landed: Workshop) -> None:
    edits = {id_of(landed, 5): {"id": "4"}, id_of(landed, 6): {"Day": "28.02.2026"}, id_of(landed, 4): {"amount": "-1"}}
    done = again(landed, edits)
    assert (done.counts.published, done.counts.refused) == (2, 2)
    assert landed.rows("silver/orders", "id") == [1, 4, 5]
    assert statuses(landed) == [(3, "open"), (4, "open"), (5, "fixed"), (6, "fixed")]
    by_row = {row["_row"]: row["_correction"] for row in landed.rows("quarantine/orders")}
    assert by_row == {3: None, 4: None, 5: '{"id": "4"}', 6: '{"Day": "28.02.2026"}'}
    for _ in range(2):
        assert landed.run("orders", mode="rerun").success
        assert landed.rows("silver/orders", "id") == [1, 4, 5]
        assert statuses(landed) == [(3, "open"), (4, "open"), (5, "fixed"), (6, "fixed")]


def test_a_mended_row_that_a_new_rule_refuses_is_open_again(landed: Workshop) -> None:
    again(landed, {id_of(landed, 5): {"id": "4"}})
    orders(landed, least=8)
    assert landed.run("orders", mode="rerun").success
    assert statuses(landed) == [(3, "open"), (4, "open"), (5, "open"), (6, "open")]
    orders(landed, least=0)
    assert again(landed).counts.published == 1
    assert landed.rows("silver/orders", "id") == [1, 4]


def test_only_what_was_chosen(landed: Workshop) -> None:
    orders(landed, least=-60)
    assert again(landed, rule="cast").counts.rows_in == 2
    assert again(landed, column="day").counts.rows_in == 1
    assert again(landed, batch="b-none").counts.rows_in == 0
    assert replay(work(landed), RefusedRowFilter(ids=[id_of(landed, 4)]), by="ann").counts.published == 1
    assert landed.rows("silver/orders", "id") == [1, 3]


def test_dismissed_rows_wait_no_longer_and_a_rerun_remembers(landed: Workshop) -> None:
    assert set_status(work(landed), RefusedRowFilter(rule="cast"), DISMISSED, "bob") == 2
    orders(landed, least=-60)
    assert again(landed).counts.rows_in == 2
    assert landed.run("orders", mode="rerun").success
    assert statuses(landed) == [(5, "dismissed"), (6, "dismissed")]
    assert {row["_status_by"] for row in landed.rows("quarantine/orders")} == {"bob"}
    assert set_status(work(landed), ALL, OPEN, "bob") == 2
    assert statuses(landed) == [(5, "open"), (6, "open")]


def test_a_parent_that_arrived_later(shop: Workshop) -> None:
    shop.table("days", 'source: {type: csv, path: "{landing}/days.csv"}')
    shop.land("days.csv", "name\nmon\n")
    orders(shop, rules="- {type: expect_column_values_to_exist_in, column: Day2, table: silver/days, key: name}")
    shop.land("orders/a.csv", "id,amount,Day,Day2\n1,1,01.02.2026,mon\n2,1,01.02.2026,tue\n")
    assert shop.run("days", "orders").success
    shop.land("days.csv", "name\ntue\n")
    assert shop.run("days").success
    assert again(shop).counts.published == 1
    assert shop.rows("silver/orders", "id") == [1, 2]


def test_keys_that_repeat_are_judged_in_their_batch(shop: Workshop) -> None:
    unique = "- {type: expect_column_values_to_be_unique, column: id}"
    orders(shop, rules=unique)
    shop.land("orders/a.csv", "id,amount,Day\n1,1,01.02.2026\n1,2,01.02.2026\n3,3,01.02.2026\n")
    assert shop.run("orders").success
    assert replay(work(shop), RefusedRowFilter(ids=[id_of(shop, 2)]), by="ann").published == ()
    assert again(shop).published == ()
    # Mended, one of the two lets the other through as well.
    assert again(shop, {id_of(shop, 3): {"id": "2"}}).counts.published == 2
    assert shop.rows("silver/orders", "id", "amount") == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize("later", [True, False])
def test_a_later_row_of_the_same_key_is_not_overwritten(shop: Workshop, later: bool) -> None:
    orders(shop, keys="id")
    shop.land("orders/a.csv", "id,amount,Day\n1,10,01.02.2026\n2,-5,02.02.2026\n")
    assert shop.run("orders").success
    if later:
        shop.land("orders/b.csv", "id,amount,Day\n2,20,02.02.2026\n")
        assert shop.run("orders").success
    orders(shop, least=-10, keys="id")
    done = again(shop)
    assert shop.rows("silver/orders", "id", "amount") == [(1, 10), (2, 20 if later else -5)]
    assert len(done.left_out) == later
    assert statuses(shop) == [(3, "dismissed" if later else "replayed")]


def test_a_line_that_nobody_could_read_is_mended(shop: Workshop) -> None:
    orders(shop)
    shop.land("orders/a.csv", "id,amount,Day\n1,10,01.02.2026\n2,5,02.02.2026,more,and,more\n")
    assert shop.run("orders").success
    assert again(shop).published == ()
    mended = {"id": "2", "amount": "5", "Day": "02.02.2026"}
    assert again(shop, {id_of(shop, 3): mended}).counts.published == 1
    assert shop.rows("silver/orders", "id", "amount") == [(1, 10), (2, 5)]


def test_partitions_heal_apart(shop: Workshop) -> None:
    orders(shop, more="partitions: {type: dynamic}")
    shop.land("orders/mon.csv", "id,amount,Day\n1,1,01.02.2026\n2,-1,01.02.2026\n")
    shop.land("orders/tue.csv", "id,amount,Day\n3,-1,01.02.2026\n4,-99,01.02.2026\n")
    shop.instance.add_dynamic_partitions("orders_files", ["mon", "tue"])
    for day in ("mon", "tue"):
        assert shop.run("orders", partition=day).success
    orders(shop, least=-10, more="partitions: {type: dynamic}")
    done = again(shop)
    assert (done.counts.published, done.counts.refused) == (2, 1)
    assert [record.partition for record in done.records] == ["mon", "tue"]
    assert shop.rows("silver/orders", "id", "_partition") == [(1, "mon"), (2, "mon"), (3, "tue")]
    assert again(shop).published == ()


def test_steps_and_lost_traces(shop: Workshop) -> None:
    orders(shop, steps='transform: [{sql: "SELECT * FROM self"}]')
    shop.land("orders/a.csv", ONE)
    assert shop.run("orders").success
    assert again(shop, {id_of(shop, 5): {"id": "4"}}).counts.published == 1
    orders(shop, steps='transform: [{sql: "SELECT id, amount, day FROM self"}]')
    with pytest.raises(RuleError, match="does not give on _batch, _source, _row"):
        again(shop)


def test_a_rerun_is_what_a_replay_would_have_been(landed: Workshop) -> None:
    orders(landed, least=-10)
    again(landed)
    healed = landed.rows("silver/orders")
    rerun(work(landed))
    assert landed.rows("silver/orders") == healed


def test_a_dismissed_row_of_the_same_key_overtakes_nothing(shop: Workshop) -> None:
    orders(shop, keys="id")
    for name in ("a", "b"):
        shop.land(f"orders/{name}.csv", "id,amount,Day\n2,-5,02.02.2026\n")
        assert shop.run("orders").success
    first, later = sorted((row for row in shop.rows("quarantine/orders")), key=lambda row: row["_source"])
    set_status(work(shop), RefusedRowFilter(ids=[later[ID]]), DISMISSED, "ann")
    assert again(shop, {first[ID]: {"amount": "7"}}).counts.published == 1
    assert shop.rows("silver/orders", "id", "amount") == [(2, 7)]


def test_refused_rows_of_gold_are_seen(shop: Workshop) -> None:
    orders(shop)
    shop.land("orders/a.csv", ONE)
    rule = "{type: expect_column_values_to_be_between, column: amount, max_value: 5}"
    shop.table("big", "gold: {sql: select amount from silver.orders, rules: [RULE]}".replace("RULE", rule))
    assert shop.run().success
    big = TableRun(shop.project.tables["big"], shop.lake)
    assert refused_of(big).select("amount", "_status").collect().rows() == [("10", "open")]
    with pytest.raises(RuleError, match="gold/big is computed"):
        replay(big, by="ann")


def test_a_row_is_mended_whatever_its_column_was_called_when_it_landed(shop: Workshop) -> None:
    """The column has another name since: `from` has both, and the row of an old file keeps what was mended in it."""
    orders(shop)
    shop.land("orders/a.csv", "id,amount,Day\n1,-10,01.02.2026\n2,20,02.02.2026\n")
    assert shop.run("orders").success
    text = ORDERS.replace("amount: int64,", "amount: {type: int64, from: [Amount EUR, amount]},").replace("LEAST", "0")
    for gone in ("MORE", "KEYS", "STEPS", "RULES"):
        text = text.replace(gone, "")
    shop.table("orders", text)
    shop.land("orders/b.csv", "id,Amount EUR,Day\n3,30,03.02.2026\n")
    assert shop.run("orders").success
    landed = landed_names(shop.project.tables["orders"].landed.silver, shop.rows("bronze/orders")[0])
    again(shop, {id_of(shop, 2): {landed["amount"]: "11"}})
    assert shop.rows("silver/orders", "id", "amount") == [(1, 11), (2, 20), (3, 30)]
    rerun(work(shop))
    assert shop.rows("silver/orders", "id", "amount") == [(1, 11), (2, 20), (3, 30)]
