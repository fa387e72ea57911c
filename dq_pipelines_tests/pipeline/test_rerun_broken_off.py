"""A rerun that ended between quarantine's commit and silver's: whoever works on the rows next finishes it first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dq_pipelines.errors import PublishError
from dq_pipelines.lake.time_travel import Moment
from dq_pipelines.pipeline.maintenance.restore import restore
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.modes import MODES
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

SALES = """
    source: {type: csv, path: "{landing}/sales/*.csv"}
    PARTITIONS
    silver:
      columns: {id: int64, amount: int64}
      rules: [{type: expect_column_values_to_be_between, column: amount, min_value: LEAST}]
"""
ROWS = "id,amount\n1,10\n2,-1\n3,30\n"


def sales(shop: Workshop, least: int, partitions: str = "") -> TableRun:
    shop.table("sales", SALES.replace("PARTITIONS", partitions).replace("LEAST", str(least)))
    return TableRun(shop.project.tables["sales"], shop.lake)


def stopped_at(commit: int) -> Callable[[], None]:
    """What ends a run when it is about to make its n-th commit."""
    left = iter(range(commit - 1))

    def may_commit() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    return may_commit


def broken_off(work: TableRun) -> None:
    with pytest.raises(KeyboardInterrupt):
        MODES["rerun"](replace(work, may_commit=stopped_at(2), now=datetime.now(UTC)))


def torn(shop: Workshop) -> TableRun:
    """With the rule of today, 1 and 2 are refused, and 1 is in silver still."""
    shop.land("sales/a.csv", ROWS)
    MODES["incremental"](sales(shop, 0))
    work = sales(shop, 20)
    broken_off(work)
    assert (shop.rows("silver/sales", "id"), shop.rows("quarantine/sales", "id")) == ([1, 3], ["1", "2"])
    return work


@pytest.mark.parametrize("mode", ["incremental", "rerun"])
def test_the_next_run_takes_along_what_has_landed(shop: Workshop, mode: str) -> None:
    work = torn(shop)
    shop.land("sales/b.csv", "id,amount\n4,40\n5,4\n")
    ran = shop.run("sales", mode=mode)
    assert ran.success
    assert (shop.rows("silver/sales", "id"), shop.rows("quarantine/sales", "id")) == ([3, 4], ["1", "2", "5"])
    assert ran.materialized["silver/sales"]["dagster/row_count"] == 2
    (last,) = shop.history.of_table("silver/sales", limit=1)
    assert (last.rows_in, last.published, last.refused) == (5, 2, 3)
    assert MODES["incremental"](work) is None


def test_a_replay_finishes_it_too(shop: Workshop) -> None:
    """Else a row that the rerun has refused, and that is good again, would be published beside itself."""
    torn(shop)
    work = sales(shop, 0)
    assert replay(work, by="ann", dry_run=True).published
    assert shop.rows("silver/sales", "id") == [1, 3], "a dry run writes nothing"
    replay(work, by="ann")
    assert (shop.rows("silver/sales", "id"), shop.rows("quarantine/sales", "id")) == ([1, 3], ["2"])


def test_a_rule_that_blocks_by_now(shop: Workshop) -> None:
    torn(shop)
    shop.table(
        "sales", SALES.replace("PARTITIONS", "").replace("LEAST", "0").replace("min_value", "mostly: 0.9, min_value")
    )
    work = TableRun(shop.project.tables["sales"], shop.lake)
    outcome = MODES["incremental"](work)
    assert outcome is not None
    assert outcome.blocked_by
    said = "a rerun was broken off, and doing it again is blocked by expect_column_values_to_be_between"
    with pytest.raises(PublishError, match=said):
        replay(work, by="ann")
    assert shop.rows("silver/sales", "id") == [1, 3], "as it was"
    MODES["incremental"](sales(shop, 20))
    assert shop.rows("silver/sales", "id") == [3]


def test_of_a_partition(shop: Workshop) -> None:
    """A run of another partition finishes it as well, and history is told of both."""
    shop.land("sales/a.csv", ROWS)
    shop.land("sales/b.csv", "id,amount\n4,40\n5,4\n")
    files = "partitions: {type: dynamic}"
    for partition in ("a", "b"):
        MODES["incremental"](replace(sales(shop, 0, files), partition=partition))
    work = sales(shop, 20, files)
    broken_off(replace(work, partition="a"))
    other = replace(work, partition="b")
    assert MODES["incremental"](other) is None, "of its own partition nothing is new"
    assert (shop.rows("silver/sales", "id"), shop.rows("quarantine/sales", "id")) == ([3, 4, 5], ["1", "2"])
    shop.instance.add_dynamic_partitions("sales_files", ["a", "b"])
    shop.run("sales", partition="b")
    told = shop.history.latest("silver/sales", "a")
    assert told is not None
    assert (told.rows_in, told.published, told.refused) == (3, 1, 2)


def test_a_clock_that_was_put_back(shop: Workshop) -> None:
    shop.land("sales/a.csv", ROWS)
    MODES["incremental"](sales(shop, 0))
    for hours in (0, -1):
        MODES["rerun"](replace(sales(shop, 0), now=datetime.now(UTC) + timedelta(hours=hours)))
    work = replace(sales(shop, 20), now=datetime.now(UTC) - timedelta(hours=2))
    with pytest.raises(KeyboardInterrupt):
        MODES["rerun"](replace(work, may_commit=stopped_at(2)))
    MODES["incremental"](work)
    assert shop.rows("silver/sales", "id") == [3]


def test_restored_to_before_it_is_not_done_again(shop: Workshop) -> None:
    shop.land("sales/a.csv", ROWS)
    MODES["incremental"](sales(shop, 0))
    before = datetime.now(UTC).isoformat()
    work = sales(shop, 20)
    MODES["rerun"](work)
    with pytest.raises(PublishError, match="quarantine was written anew by a rerun since version 0"):
        restore(work, Moment("0"), "silver")
    with pytest.raises(PublishError, match="silver has consumed"):
        restore(work, Moment("0"), "quarantine")
    broken_off(work)
    restore(work, Moment(before))
    assert MODES["incremental"](work) is None
    assert (shop.rows("silver/sales", "id"), shop.rows("quarantine/sales", "id")) == ([1, 3], ["2"])
