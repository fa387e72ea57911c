"""Rows that refer to rows of their own table: a parent is a row that is published with them, or stays."""

from __future__ import annotations

import random

import pytest

from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines_tests.workshop import Ran, Workshop

STAFF = """
    source: {type: csv, path: "{landing}/*.csv"}
    silver:
      MODE
      columns: {id: int64, boss: int64, pay: int64}
      rules:
        - {type: expect_column_values_to_be_between, column: pay, min_value: 0}
        - {type: expect_column_values_to_exist_in, column: boss, table: silver/staff, key: id}
"""


def staff(shop: Workshop, mode: str = "", rules: str = "") -> None:
    shop.table("staff", STAFF.replace("MODE", mode) + rules)


def land(shop: Workshop, name: str, *rows: str) -> None:
    shop.land(name, "\n".join(["id,boss,pay", *rows, ""]))


def published(shop: Workshop) -> list[int]:
    return sorted(shop.rows("silver/staff", "id"))


def test_a_row_falls_with_its_parent_and_so_do_all_below(shop: Workshop) -> None:
    staff(shop)
    land(shop, "1.csv", "1,,-5", "2,1,5", "3,2,5", "4,3,5", "5,,5", "6,5,5", "7,8,5", "8,7,5", "9,9,5")
    assert shop.run().success
    assert published(shop) == [5, 6, 7, 8, 9]
    said = shop.refused("staff")
    assert [(rule, value) for rule, _, value in said if rule.endswith("exist_in")] == [
        ("expect_column_values_to_exist_in", "1"),
        ("expect_column_values_to_exist_in", "2"),
        ("expect_column_values_to_exist_in", "3"),
    ]
    land(shop, "2.csv", "10,1,5", "11,6,5")
    assert shop.run().success
    assert published(shop) == [5, 6, 7, 8, 9, 11]


@pytest.mark.slow
def test_a_long_chain_falls_in_a_few_rounds(shop: Workshop) -> None:
    staff(shop)
    land(shop, "1.csv", "0,,-5", *(f"{number},{number - 1},5" for number in range(1, 5000)), "9000,,5")
    assert shop.run().success
    assert published(shop) == [9000]


def test_of_many_rows_those_are_published_that_no_others_could_be_added_to(shop: Workshop) -> None:
    """The oracle takes rows away until each that is left has its parent."""
    chance = random.Random(7)  # noqa: S311 - rows of a test
    rows = [(number, chance.choice([None, *range(400)]), chance.choice([5, 5, 5, 5, -5])) for number in range(390)]
    left = {number: boss for number, boss, pay in rows if pay > 0}
    while gone := [number for number, boss in left.items() if boss is not None and boss not in left]:
        for number in gone:
            del left[number]
    staff(shop)
    land(shop, "1.csv", *(f"{number},{'' if boss is None else boss},{pay}" for number, boss, pay in rows))
    assert shop.run().success
    assert published(shop) == sorted(left)


def test_a_snapshot_has_its_own_parents(shop: Workshop) -> None:
    staff(shop, "write: overwrite")
    land(shop, "1.csv", "1,,5", "2,1,5")
    assert shop.run().success
    land(shop, "2.csv", "2,1,5", "3,,5")
    assert shop.run().success
    assert published(shop) == [3]


@pytest.mark.slow
def test_a_merged_row_takes_its_parent_away(shop: Workshop) -> None:
    """Row 2 comes again and is refused: what it was stays, and the row below it as well."""
    staff(shop, "keys: [id]")
    land(shop, "1.csv", "1,,5", "2,1,5", "3,2,5")
    assert shop.run().success
    land(shop, "2.csv", "2,7,5", "4,2,5", "5,4,-5", "6,5,5")
    assert shop.run().success
    assert shop.rows("silver/staff", "id", "boss") == [(1, None), (2, 1), (3, 2), (4, 2)]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["", "keys: [id]"])
def test_a_rerun_finds_the_same_again_and_again(shop: Workshop, mode: str) -> None:
    staff(shop, mode)
    first = shop.land("1.csv", "id,boss,pay\n1,,5\n4,,5\n")
    assert shop.run().success
    land(shop, "2.csv", "2,1,5", "3,2,5", "5,6,5")
    assert shop.run().success
    assert published(shop) == [1, 2, 3, 4]
    land(shop, "3.csv", "6,4,5")
    assert shop.run().success
    first.write_text("id,boss,pay\n4,,5\n")  # the parent's file was mended away
    for _ in range(2):
        assert shop.run(mode="rerun").success
        assert published(shop) == [4, 5, 6]


@pytest.mark.slow
def test_a_replay_publishes_parent_and_child_together(shop: Workshop) -> None:
    staff(shop)
    land(shop, "1.csv", "1,,-5", "2,1,5", "3,2,-7")
    assert shop.run().success
    land(shop, "2.csv", "4,3,5", "5,2,5")
    assert shop.run().success
    assert published(shop) == []
    path = shop.root / "assets_config" / "shop" / "staff.yaml"
    path.write_text(path.read_text().replace("min_value: 0", "min_value: -6"))
    done = replay(TableRun(shop.project.tables["staff"], shop.lake), by="ann")
    assert len(done.published) == 3
    assert published(shop) == [1, 2, 5]


@pytest.mark.slow
def test_a_row_without_a_parent_is_refused_still_although_a_later_row_has_its_key(shop: Workshop) -> None:
    staff(shop, "keys: [id]")
    land(shop, "1.csv", "2,3,5", "4,2,5")
    assert shop.run().success
    land(shop, "2.csv", "4,,5")
    assert shop.run().success
    done = replay(TableRun(shop.project.tables["staff"], shop.lake), by="ann")
    assert (done.published, done.left_out, done.failing.height) == ((), (), 2)
    assert set(shop.rows("quarantine/staff", "_status")) == {"open"}
    assert published(shop) == [4]


@pytest.mark.parametrize(
    "again", [pytest.param(False, id="run"), pytest.param(True, id="rerun", marks=pytest.mark.slow)]
)
def test_a_row_that_is_refused_leaves_its_key_to_an_earlier_one_of_the_batch(shop: Workshop, again: bool) -> None:
    staff(shop, "keys: [id]")
    # 2 and 4 refer to one another. The later row with the key 2 falls with its parent 3, and takes neither of them away.
    land(shop, "1.csv", "1,,5", "2,4,9", "3,,-5", "4,2,1", "2,3,9", "5,4,1")
    assert shop.run().success
    if again:
        rerun(TableRun(shop.project.tables["staff"], shop.lake))
    assert published(shop) == [1, 2, 4, 5]
    assert sorted(shop.rows("quarantine/staff", "id")) == ["2", "3"]


def test_gold_refers_to_itself(shop: Workshop) -> None:
    shop.table("raw", 'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {columns: {id: int64, boss: int64}}\n')
    shop.table(
        "tree",
        "gold:\n  sql: select id, boss from silver.raw\n"
        "  rules: [{type: expect_column_values_to_exist_in, column: boss, table: gold/tree, key: id}]\n",
    )
    shop.land("1.csv", "id,boss\n1,\n2,1\n3,2\n4,9\n5,4\n")
    ran = shop.run()
    assert ran.success, ran.failures
    assert shop.rows("gold/tree", "id") == [1, 2, 3]


def test_keys_that_have_another_type_today(shop: Workshop) -> None:
    staff(shop, "keys: [id]")
    land(shop, "1.csv", "1,,5", "2,1,5", "3,1,5")
    assert shop.run().success
    shop.table(
        "staff",
        ("schema: evolve" + STAFF.replace("    ", "", 1).replace("\n    ", "\n"))
        .replace("MODE", "keys: [id]")
        .replace("id: int64, boss: int64", "id: string, boss: string"),
    )
    land(shop, "2.csv", "1,9,5", "4,2,5", "3,4,5")
    assert shop.run().success
    assert shop.rows("silver/staff", "id", "boss") == [("1", None), ("2", "1"), ("3", "4"), ("4", "2")]
    assert [value for _, _, value in shop.refused("staff")] == ["9"]


DAILY = 'partitions: {type: daily, start: 2024-01-01, in_path: "%Y-%m-%d"}'
MON, TUE, WED = "2024-01-01", "2024-01-02", "2024-01-03"


def orphans(ran: Ran) -> str:
    """What the run says of rows that it has left without parents."""
    assert ran.success, ran.failures
    told = ran.materialized["silver/staff"]
    assert ("orphans" in told) == ("orphans_said" in told)
    return str(told.get("orphans_said", ""))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["", "keys: [id]"], ids=["append", "merge"])
def test_a_rerun_of_a_partition_tells_whom_of_the_others_it_leaves_without_a_parent(shop: Workshop, mode: str) -> None:
    shop.table("staff", STAFF.replace("MODE", mode) + f"    {DAILY}\n")
    for day, rows in {MON: ["1,,5", "2,,5"], TUE: ["3,1,5", "4,3,5"], WED: ["5,1,5", "6,2,5"]}.items():
        land(shop, f"{day}.csv", *rows)
        assert orphans(shop.run(partition=day)) == ""
    land(shop, f"{MON}.csv", "2,,5")
    said = orphans(shop.run(partition=MON, mode="rerun"))
    assert said == (
        f"silver/staff: 2 published rows in other partitions ({TUE}, {WED}) refer to rows that are gone; "
        "run staff with mode: rerun over these partitions, which refuses them"
    )
    # The row below one of them is an orphan when that has gone.
    assert published(shop) == [2, 3, 4, 5, 6]
    assert orphans(shop.run(partition=WED, mode="rerun")).startswith(
        f"silver/staff: 1 published row in other partitions ({TUE}) refers to rows that are gone; "
    )
    assert orphans(shop.run(partition=TUE, mode="rerun")) == ""
    assert published(shop) == [2, 6]
    assert [value for rule, _, value in shop.refused("staff") if rule.endswith("exist_in")] == ["1", "1", "3"]


@pytest.mark.slow
def test_a_merge_tells_whom_it_leaves_without_a_parent(shop: Workshop) -> None:
    rule = "- {type: expect_column_values_to_exist_in, column: boss, table: silver/staff, key: pay, row_condition: 'id < 9'}"
    shop.table("staff", STAFF.replace("MODE", "keys: [id]") + f"        {rule}\n")
    land(shop, "1.csv", "1,,5", "5,,1", "2,5,7", "9,5,8")
    assert orphans(shop.run()) == ""
    land(shop, "2.csv", "1,,6")
    said = orphans(shop.run())
    assert said == (
        "silver/staff: 1 published row refers to rows that are gone; run staff with mode: rerun, which refuses them"
    )
    assert shop.run(mode="rerun").success
    assert published(shop) == [1, 5, 9]
