"""What becomes of a run when a store is damaged: one sentence with place and remedy, and no verdict is lost."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dq_pipelines.config import database
from dq_pipelines.history.store.verdicts import History
from dq_pipelines_tests.pipeline.test_no_room import as_nobody
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

ORDERS = """
    source: {type: csv, path: "{landing}/*.csv"}
    silver:
      columns: {id: int64, amount: int64}
      rules: [{type: expect_column_values_to_be_between, column: amount, min_value: 0}]
"""


@pytest.fixture
def orders(shop: Workshop) -> Workshop:
    """Two batches are published, each with a refused row; a third file waits."""
    shop.table("orders", ORDERS)
    shop.table("totals", "gold: {sql: 'select count(*) as orders from silver.orders'}")
    for number in (1, 2):
        shop.land(f"{number}.csv", f"id,amount\n{number},10\n{number}1,-5\n")
        assert shop.run().success
    shop.land("3.csv", "id,amount\n3,10\n31,-5\n")
    return shop


def failed(shop: Workshop, *words: str, step: str = "orders", mode: str | None = None) -> None:
    """A run fails in one sentence, which has these words."""
    said = shop.run(mode=mode).failures[step]
    assert all(word in said for word in words), said
    assert "\n" not in said


def heals(shop: Workshop) -> None:
    """The next run makes all as it must be, and each published batch has its verdict, once."""
    assert shop.run().success
    assert shop.rows("silver/orders", "id") == [1, 2, 3]
    assert shop.rows("quarantine/orders", "id") == ["11", "21", "31"]
    verdicts = [verdict for verdict in shop.history.of_table("silver/orders") if verdict.batch]
    batches = [verdict.batch for verdict in verdicts if not verdict.replaces]
    assert len(batches) == len(set(batches)) == 3
    assert shop.leftovers() == []


def history_file(shop: Workshop) -> Path:
    return shop.root / "history.db"


def _garbage(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:30_000])


def _holes(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:8192] + os.urandom(len(content) - 8192))


@pytest.mark.parametrize("harm", [_garbage, _torn, _holes])
def test_a_damaged_history_publishes_nothing_and_commits_tell_a_new_one(
    orders: Workshop, harm: Callable[[Path], None]
) -> None:
    before = orders.versions()
    harm(history_file(orders))
    failed(orders, str(history_file(orders)), "move it away and put back a copy made by dq backup")
    assert orders.versions() == before
    history_file(orders).unlink()
    heals(orders)


def test_a_history_of_zero_bytes_is_told_by_the_commits(orders: Workshop) -> None:
    for number in range(4, 8):  # more commits than a run looks at where history knows the table
        orders.land(f"{number}.csv", f"id,amount\n{number},10\n")
        assert orders.run("orders").success
    history_file(orders).write_bytes(b"")
    for beside in orders.root.glob("history.db-*"):
        beside.unlink()
    assert orders.run("orders").success
    verdicts = [verdict.batch for verdict in orders.history.of_table("silver/orders")]
    assert len(verdicts) == len(set(verdicts)) == 6  # the third file waited for the fourth


def test_a_locked_history_publishes_nothing(orders: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_TIMEOUT", 0.2)
    before = orders.versions()
    with closing(sqlite3.connect(history_file(orders))) as other:
        other.execute("BEGIN IMMEDIATE")
        failed(orders, str(history_file(orders)), "database is locked; another process holds it")
    assert orders.versions() == before
    heals(orders)


def test_a_history_that_is_locked_after_the_commit_gets_its_verdict_from_the_next_run(
    orders: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_TIMEOUT", 0.2)
    real, locks = History.record, list[sqlite3.Connection]()

    def locked(self: History, verdict: object) -> None:
        if not locks:
            locks.append(sqlite3.connect(history_file(orders), check_same_thread=False))
            locks[-1].execute("BEGIN IMMEDIATE")
        real(self, verdict)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(History, "record", locked)
        failed(orders, "database is locked", "are published, their commit holds the verdict")
    for lock in locks:
        lock.close()
    assert orders.rows("silver/orders", "id") == [1, 2, 3]
    heals(orders)


def test_a_history_that_may_not_be_written_publishes_nothing(orders: Workshop) -> None:
    before = orders.versions()
    for path in (orders.root / "lake").rglob("*"):
        path.chmod(0o777)
    (orders.root / "lake").chmod(0o777)
    orders.root.chmod(0o555)
    history_file(orders).chmod(0o444)
    with as_nobody(orders):
        failed(orders, str(history_file(orders)), "let this user write the file and its folder")
    assert orders.versions() == before
    orders.root.chmod(0o755)
    heals(orders)


@pytest.mark.parametrize(
    "content",
    [
        b"[1,2]\n",
        b"\xff\xfe[x]\n",
        b'{"a":1]\n',
        b'["../../x","b-1",null]\n',
        b'["silver/orders","../..",null]\n',
        b"\0" * 90,
    ],
)
def test_a_damaged_claim_holds_nobody_up(orders: Workshop, content: bytes) -> None:
    (orders.root / "lake" / ".claims" / "orders").write_bytes(content)
    heals(orders)


@pytest.mark.parametrize(
    "content",
    [b"{}", b"null", b"[1]", b'[{"uri"', b'[{"uri":"x"}]', b'[{"uri":1,"version":"1","reason":"r","since":"2020"}]'],
)
def test_a_damaged_list_of_inputs_aside_costs_another_look(orders: Workshop, content: bytes) -> None:
    (orders.root / "lake" / ".aside").mkdir(exist_ok=True)
    (orders.root / "lake" / ".aside" / "orders.json").write_bytes(content)
    heals(orders)


def _gone(path: Path) -> None:
    path.unlink()
    if not any(path.parent.iterdir()):
        path.parent.rmdir()


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def first_file(shop: Workshop, key: str) -> Path:
    return min((shop.root / "lake" / key).rglob("*.parquet"))


@pytest.mark.parametrize("harm", [_gone, _half])
def test_a_lost_file_of_silver_is_named_and_a_rerun_makes_it_anew(
    orders: Workshop, harm: Callable[[Path], None]
) -> None:
    lost = first_file(orders, "silver/orders")
    harm(lost)
    failed(orders, str(lost), "run orders with mode: rerun", step="totals")
    assert orders.run(mode="rerun").success
    heals(orders)


@pytest.mark.parametrize("harm", [_gone, _half])
def test_a_lost_file_of_quarantine_is_named(orders: Workshop, harm: Callable[[Path], None]) -> None:
    lost = first_file(orders, "quarantine/orders")
    content = lost.read_bytes()
    harm(lost)
    # It is met when open rows are counted, after the commit: the sentence must not say that nothing was published.
    failed(orders, str(lost), "put it back from a copy", "was published before that")
    assert orders.rows("silver/orders", "id") == [1, 2, 3]
    failed(orders, str(lost), "nothing was published", mode="rerun")
    lost.parent.mkdir(parents=True, exist_ok=True)  # a store that deletes objects leaves no empty folder
    lost.write_bytes(content)
    heals(orders)


@pytest.mark.parametrize("harm", [_gone, _half])
def test_a_lost_file_of_bronze_is_named_and_its_inputs_can_land_again(
    orders: Workshop, harm: Callable[[Path], None]
) -> None:
    assert orders.run().success
    lost = first_file(orders, "bronze/orders")
    harm(lost)
    failed(orders, str(lost), "move bronze/orders away", "nothing was published", mode="rerun")
    assert orders.rows("silver/orders", "id") == [1, 2, 3]
    (orders.root / "lake" / "bronze" / "orders").rename(orders.root / "away")
    assert orders.run(mode="rerun").success
    assert orders.rows("silver/orders", "id") == [1, 2, 3]
    assert orders.rows("quarantine/orders", "id") == ["11", "21", "31"]


def test_a_torn_commit_before_the_newest_is_named(orders: Workshop) -> None:
    torn = min((orders.root / "lake" / "silver" / "orders" / "_delta_log").glob("*.json"))
    content = torn.read_bytes()
    torn.write_bytes(content[:40])
    failed(orders, str(torn), "got a torn file of 40 bytes", "put it back from a copy")
    torn.write_bytes(content)
    heals(orders)
