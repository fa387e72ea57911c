"""Rows that were given up stay so: through relaxed rules, replays and reruns, and each landed row is in one place."""

from __future__ import annotations

import signal

import pytest

from dq_pipelines.doctor.accounting import account
from dq_pipelines.pipeline.quarantine.quarantine_status import RefusedRowFilter, set_status
from dq_pipelines.pipeline.quarantine.refused_rows import DISMISSED, ID, OPEN
from dq_pipelines_tests.forks import fork
from dq_pipelines_tests.pipeline.refused_orders import again, id_of, orders, statuses, work
from dq_pipelines_tests.pipeline.test_replay_killed import KILLED
from dq_pipelines_tests.workshop import Workshop


def rerun_adds_up(shop: Workshop) -> tuple[int, int, int]:
    """Rows in, published and refused of a rerun, which adds up."""
    ran = shop.run("orders", mode="rerun")
    assert ran.success
    assert ran.checks["silver/orders:rows_accounted_for"].passed
    found = account(work(shop), shop.history)
    assert found.is_right, found
    latest = shop.history.latest("silver/orders")
    assert latest is not None
    assert latest.rows_in == latest.published + latest.refused + latest.dropped
    return latest.rows_in, latest.published, latest.refused


@pytest.mark.parametrize("keys", [pytest.param("", marks=pytest.mark.slow), "id"])
def test_a_relaxed_rule_publishes_no_dismissed_row(landed: Workshop, keys: str) -> None:
    assert set_status(work(landed), RefusedRowFilter(ids=[id_of(landed, 3)]), DISMISSED, "bob") == 1
    before = next(row for row in landed.rows("quarantine/orders") if row["_row"] == 3)
    orders(landed, least=-60, keys=keys)
    assert len(again(landed).published) == 1
    for _ in range(2):
        assert rerun_adds_up(landed) == (5, 2, 3)
        assert landed.rows("silver/orders", "id") == [1, 3]
        assert statuses(landed) == [(3, "dismissed"), (5, "open"), (6, "open")]
    (after,) = [row for row in landed.rows("quarantine/orders") if row["_row"] == 3]
    assert {**after, "_ingested_at": None} == {**before, "_ingested_at": None}
    assert set_status(work(landed), RefusedRowFilter(ids=[after[ID]]), OPEN, "bob") == 1
    assert len(again(landed).published) == 1
    assert rerun_adds_up(landed) == (5, 3, 2)
    assert landed.rows("silver/orders", "id", "amount") == [(1, 10), (2, -5), (3, -50)]


@pytest.mark.slow
def test_dismissed_rows_of_which_a_step_makes_nothing(landed: Workshop) -> None:
    """A filter leaves them out today, and lets them be tomorrow: they are dismissed all the same."""
    set_status(work(landed), RefusedRowFilter(ids=[id_of(landed, 3)]), DISMISSED, "bob")
    for steps, least in (('transform: [{filter: "id <> 2"}]', 0), ("", -10)):
        orders(landed, least=least, steps=steps)
        assert rerun_adds_up(landed) == (5, 1, 4)
        assert (3, "dismissed") in statuses(landed)
        assert landed.rows("silver/orders", "id") == [1]


@pytest.mark.slow
def test_unique_keys_are_judged_with_the_dismissed_row(shop: Workshop) -> None:
    """As a replay judges: a row does not become unique since the other one was given up."""
    unique = "- {type: expect_column_values_to_be_unique, column: id}"
    orders(shop, rules=unique)
    shop.land("orders/a.csv", "id,amount,Day\n1,1,01.02.2026\n1,2,01.02.2026\n3,3,01.02.2026\n")
    assert shop.run("orders").success
    set_status(work(shop), RefusedRowFilter(ids=[id_of(shop, 2)]), DISMISSED, "bob")
    assert rerun_adds_up(shop) == (3, 1, 2)
    orders(shop)
    assert rerun_adds_up(shop) == (3, 2, 1)
    assert shop.rows("silver/orders", "id", "amount") == [(1, 2), (3, 3)]


@pytest.mark.slow
def test_a_step_that_forgets_rows_is_told(landed: Workshop) -> None:
    set_status(work(landed), RefusedRowFilter(ids=[id_of(landed, 3)]), DISMISSED, "bob")
    orders(landed, least=-60, steps='transform: [{sql: "SELECT id, amount, day FROM self"}]')
    (said,) = landed.run("orders", mode="rerun").failures.values()
    assert "so that dismissed rows cannot be identified: keep these columns, or reopen the rows" in said


@pytest.mark.slow
@pytest.mark.parametrize("place", ["update", "publish"])
def test_through_a_replay_that_is_killed(landed: Workshop, place: str) -> None:
    set_status(work(landed), RefusedRowFilter(ids=[id_of(landed, 3)]), DISMISSED, "bob")
    orders(landed, least=-60)
    assert fork(KILLED, landed.root, place).ended() == -signal.SIGKILL
    assert rerun_adds_up(landed) == (5, 2, 3)
    assert landed.rows("silver/orders", "id") == [1, 3]
    assert statuses(landed) == [(3, "dismissed"), (5, "open"), (6, "open")]


@pytest.mark.slow
def test_of_two_mended_rows_of_one_key_the_later_is_published(shop: Workshop) -> None:
    """The other is overtaken: it is dismissed, and nobody is told that it was published."""
    orders(shop, keys="id")
    shop.land("orders/a.csv", "id,amount,Day\n2,-5,02.02.2026\n2,-6,02.02.2026\n")
    assert shop.run("orders").success
    done = again(shop, {id_of(shop, 2): {"amount": "5"}, id_of(shop, 3): {"amount": "6"}})
    assert (done.published, done.left_out) == ((id_of(shop, 3),), (id_of(shop, 2),))
    assert statuses(shop) == [(2, "dismissed"), (3, "fixed")]
    assert rerun_adds_up(shop) == (2, 1, 1)
    assert shop.rows("silver/orders", "id", "amount") == [(2, 6)]
    assert statuses(shop) == [(2, "dismissed"), (3, "fixed")]
