"""A key is published once, whatever partitions it is in: in the version that came last of those that were kept."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines_tests.workshop import Workshop

PRICES = """
source: {{type: csv, path: "{{landing}}/*.csv"}}
partitions: {{type: daily, start: 2024-01-01, in_path: "%Y-%m-%d"}}
silver:
  keys: [id]
{merge}
  columns: {{id: int64, price: int64, at: int64}}
  rules: [{{type: expect_column_values_to_be_between, column: price, min_value: {least}}}]
"""
MON, TUE = "2024-01-01", "2024-01-02"


def prices(shop: Workshop, least: int = 0, merge: str = "") -> None:
    shop.table("prices", PRICES.format(least=least, merge=merge))


@pytest.mark.slow
def test_a_rerun_of_monday_leaves_tuesdays_keys_to_tuesday(shop: Workshop) -> None:
    prices(shop)
    shop.land(f"{MON}.csv", "id,price,at\n1,10,1\n2,20,1\n3,-1,1\n")
    assert shop.run(partition=MON).success
    shop.land(f"{TUE}.csv", "id,price,at\n2,21,2\n")
    assert shop.run(partition=TUE).success
    assert shop.run(partition=MON, mode="rerun").success
    assert shop.rows("silver/prices", "id", "price", "_partition") == [(1, 10, MON), (2, 21, TUE)]
    prices(shop, 15)  # neither 10 nor the late 5 is kept now, so 30 is the last of key 2 no more than 21 is
    shop.land(f"{MON}_late.csv", "id,price,at\n2,30,1\n3,5,1\n")
    assert shop.run(partition=MON).success
    assert shop.rows("silver/prices", "id", "price", "_partition") == [(1, 10, MON), (2, 30, MON)]
    prices(shop, 50)
    ran = shop.run(partition=MON, mode="rerun")
    assert ran.success
    # Tuesday was not judged anew: what it had of key 2 counts again.
    assert shop.rows("silver/prices", "id", "price", "_partition") == [(2, 21, TUE)]
    assert ran.checks["silver/prices:rows_accounted_for"].passed
    prices(shop, -9)
    assert shop.run(partition=MON, mode="rerun").success
    assert shop.rows("silver/prices", "id", "price", "_partition") == [(1, 10, MON), (2, 30, MON), (3, 5, MON)]
    assert shop.leftovers() == []


ROWS = """
source: {{type: csv, path: "{{landing}}/*.csv"}}
partitions: {{type: daily, start: 2024-01-01, in_path: "%Y-%m-%d"}}
schema: evolve
silver:
  keys: [id]
  columns: {{id: {kind}, price: int64}}
  {said}
"""
FIRST = "select * from (select *, row_number() over (partition by id order by price) as n from self) where n = 1"
SUMS = "select id, sum(price) as price, max(_source) as _source, max(_row) as _row, max(_batch) as _batch"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "monday", "tuesday"),
    [
        ("transform: [{deduplicate: {by: [id], keep: first, order_by: price}}]", [(2, 5)], [(1, 4), (3, 3)]),
        (
            f"transform: [{{sql: '{FIRST}'}}]",
            [(2, 5)],
            [(1, 4), (3, 3)],
        ),
        (
            f"transform: [{{sql: '{SUMS}, max(_ingested_at) as _ingested_at from self group by id'}}]",
            [(2, 5)],
            [(1, 13), (3, 3)],
        ),
        ("rules: [{type: expect_column_values_to_be_unique, column: id, on_failure: drop}]", [(2, 5)], [(3, 3)]),
    ],
    ids=["deduplicate", "window", "sums", "unique"],
)
def test_other_partitions_had_their_steps_and_rules_batch_by_batch(
    shop: Workshop, said: str, monday: list[tuple[int, int]], tuesday: list[tuple[int, int]]
) -> None:
    """What Monday has of key 1 neither pushes out nor adds to what Tuesday has."""
    shop.table("prices", ROWS.format(kind="int64", said=said))
    shop.land(f"{MON}.csv", "id,price\n1,1\n1,2\n2,5\n")
    assert shop.run(partition=MON).success
    shop.land(f"{TUE}.csv", "id,price\n1,9\n1,4\n3,3\n")
    assert shop.run(partition=TUE).success
    wanted = [*((*row, MON) for row in monday), *((*row, TUE) for row in tuesday)]
    for day in (MON, TUE, MON):
        assert shop.run(partition=day, mode="rerun").success
        assert shop.rows("silver/prices", "id", "price", "_partition") == sorted(wanted, key=repr)


@pytest.mark.slow
def test_keys_that_have_another_type_today(shop: Workshop) -> None:
    shop.table("prices", ROWS.format(kind="int64", said=""))
    shop.land(f"{MON}.csv", "id,price\n1,1\n2,2\n")
    assert shop.run(partition=MON).success
    shop.land(f"{TUE}.csv", "id,price\n1,9\n3,3\n")
    assert shop.run(partition=TUE).success
    shop.table("prices", ROWS.format(kind="string", said=""))
    for day in (MON, TUE, MON):
        assert shop.run(partition=day, mode="rerun").success
        assert shop.rows("silver/prices", "id", "price", "_partition") == [("1", 9, TUE), ("2", 2, MON), ("3", 3, TUE)]
    shop.land(f"{TUE}_b.csv", "id,price\nx,5\n")
    assert shop.run(partition=TUE).success
    shop.table("prices", ROWS.format(kind="int64", said=""))
    assert shop.run(partition=MON, mode="rerun").success  # beside Tuesday's, of which one is a text still
    texts = [("1", 9, TUE), ("2", 2, MON), ("3", 3, TUE), ("x", 5, TUE)]
    assert shop.rows("silver/prices", "id", "price", "_partition") == texts
    assert shop.run(partition=TUE, mode="rerun").success
    assert shop.rows("silver/prices", "id", "price", "_partition") == [(1, 9, TUE), (2, 2, MON), (3, 3, TUE)]


def test_a_batch_that_was_blocked_reverts_nothing_that_came_later(shop: Workshop) -> None:
    rows = "{type: expect_table_row_count_to_be_between, min_value: 2, on_failure: block}"
    shop.table("prices", ROWS.format(kind="int64", said=f"rules: [{rows}]"))
    shop.land(f"{MON}.csv", "id,price\n1,1\n")
    assert not shop.run(partition=MON).success
    shop.land(f"{TUE}.csv", "id,price\n1,9\n3,3\n")
    assert shop.run(partition=TUE).success
    shop.land(f"{MON}_late.csv", "id,price\n2,2\n3,4\n")
    ran = shop.run(partition=MON)
    assert ran.success
    assert ran.checks["silver/prices:rows_accounted_for"].passed
    assert shop.rows("silver/prices", "id", "price", "_partition") == [(1, 9, TUE), (2, 2, MON), (3, 4, MON)]


def test_a_row_that_counts_again_has_the_columns_that_the_rerun_partition_has_not(shop: Workshop) -> None:
    shop.table("prices", ROWS.format(kind="int64", said=""))
    shop.land(f"{MON}.csv", "id,price,shop\n1,1,x\n2,2,y\n")
    assert shop.run(partition=MON).success
    shop.land(f"{TUE}.csv", "id,price,till\n1,9,z\n")
    assert shop.run(partition=TUE).success
    shop.land(f"{TUE}.csv", "id,price,till\n3,3,z\n")
    assert shop.run(partition=TUE, mode="rerun").success
    wanted = [(1, 1, "x", None), (2, 2, "y", None), (3, 3, None, "z")]
    assert shop.rows("silver/prices", "id", "price", "shop", "till") == wanted


@dataclass
class Oracle:
    """It knows the rows in the order in which they came, and which of them were kept when they were judged last."""

    by_order: bool
    rows: list[dict[str, int | str | bool]] = field(default_factory=list)

    def judge(self, day: str, least: int, *, anew: bool) -> None:
        for row in self.rows:
            if row["day"] == day and (anew or not row["judged"]):
                row |= {"judged": True, "kept": int(row["price"]) >= least}

    def published(self) -> list[tuple[int, int, str]]:
        found = {}
        kept = [row for row in self.rows if row["kept"]]
        for row in sorted(kept, key=lambda row: int(row["at"])) if self.by_order else kept:
            found[row["id"]] = (int(row["id"]), int(row["price"]), str(row["day"]))
        return sorted(found.values())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_landed_run_and_rerun_each_key_has_its_last_kept_row(shop: Workshop, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - rows of a test
    by_order = seed % 2 == 1
    oracle, least, merge = Oracle(by_order), 0, "  merge: {order_by: at}" if by_order else ""
    days = [f"2024-01-0{day}" for day in (1, 2, 3)]
    prices(shop, least, merge)
    shop.landing.mkdir()
    for step in range(25):
        day, move = chance.choice(days), chance.choice(["land", "land", "rerun", "rule"])
        if move == "rule":
            least = chance.choice([0, 30, 60])
            prices(shop, least, merge)
            continue
        if move == "land":
            fresh = [(key, chance.randrange(100), chance.randrange(1000)) for key in chance.sample(range(5), 2)]
            shop.land(f"{day}_{step}.csv", "\n".join(["id,price,at", *(f"{k},{p},{a}" for k, p, a in fresh), ""]))
            oracle.rows += [
                {"id": k, "price": p, "at": a, "day": day, "kept": False, "judged": False} for k, p, a in fresh
            ]
        work = TableRun(shop.project.tables["prices"], shop.lake, day)
        (rerun if move == "rerun" else refine)(work)
        oracle.judge(day, least, anew=move == "rerun")
        found = sorted(shop.rows("silver/prices", "id", "price", "_partition"))
        assert found == oracle.published(), (seed, step, move, day)
    assert shop.leftovers() == []
