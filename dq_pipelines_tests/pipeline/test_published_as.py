"""A table whose YAML parts, writes or keys it in another way than it was published: refused before it lands, and nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dq_pipelines.lake.formats.commit import Commit, Note
from dq_pipelines.lake.ledger import TAKEN_BACK, transactions
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines_tests.workshop import Workshop

SOURCE = 'source: {type: csv, path: "{landing}/*.csv"}\n'
SILVER = "silver: {columns: {id: int64, at: int64}}\n"
WHOLE = ""
DAILY = 'partitions: {type: daily, start: 2024-01-01, in_path: "%Y-%m-%d"}\n'
OTHER_DAY = 'partitions: {type: daily, start: 2024-01-01, in_path: "%Y_%m_%d"}\n'
BY_FILE = "partitions: {type: dynamic}\n"

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path)
    with workshop.instance:
        yield workshop


NOTES = ("written", "ordered", "partitions")


def forget_notes(shop: Workshop, name: str = "t", of: tuple[str, ...] = NOTES) -> None:
    """Have the ledger say nothing of how the table was published, as that of an earlier release."""
    table = shop.lake.table(f"silver/{name}")
    notes = {note: TAKEN_BACK for note in transactions(table) if note.startswith(of)}
    assert notes
    table.commit(Commit(Note(), notes))


@dataclass(frozen=True)
class Change:
    before: str
    after: str
    #: the partitions of the first file by the one and the other; None for none
    parts: tuple[str | None, str | None]
    #: what is said
    said: str


#: The first file is of another day by its folder than by its name.
FILES = ("2024_01_05-2024-01-01.csv", "2024_01_06-2024-01-02.csv")
CHANGES = {
    "added": Change(
        WHOLE, DAILY, (None, "2024-01-01"),
        "bronze/t: is kept without partitions, and its YAML has them: daily, %Y-%m-%d",
    ),
    "removed": Change(
        BY_FILE, WHOLE, ("2024_01_05-2024-01-01", None), "bronze/t: is kept in partitions, and its YAML has none"
    ),
    "daily to files": Change(
        DAILY, BY_FILE, ("2024-01-01", "2024_01_05-2024-01-01"),
        "2024_01_05-2024-01-01.csv is in the partition '2024-01-01', which is another one by partitions: dynamic, by file",
    ),
    "files to daily": Change(
        BY_FILE, DAILY, ("2024_01_05-2024-01-01", "2024-01-01"),
        "is in the partition '2024_01_05-2024-01-01', which is another one by partitions: daily, %Y-%m-%d",
    ),
    "another day": Change(
        DAILY, OTHER_DAY, ("2024-01-01", "2024-01-05"),
        "is in the partition '2024-01-01', which is another one by partitions: daily, %Y_%m_%d",
    ),
}  # fmt: skip


def known(shop: Workshop, table: str, *partitions: str | None) -> None:
    shop.instance.add_dynamic_partitions(f"{table}_files", [one for one in partitions if one is not None])


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize(
    ("noted", "in_landing"),
    [(True, False), (False, False), (False, True)],
    ids=["", "of an earlier release", "with names relative to the landing folder"],
)
def test_partitions_that_change(
    shop: Workshop, change: Change, noted: bool, in_landing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if in_landing:
        monkeypatch.setenv("DQ_LANDING", str(shop.landing))
    old, new = change.parts
    second = tuple(part and part.replace("05", "06").replace("01-01", "01-02") for part in change.parts)
    for name in ("t", "t_2"):
        known(shop, name, old, new, *second)
    shop.table("t", SOURCE + change.before + SILVER)
    shop.land(FILES[0], "id,at\n1,1\n")
    assert shop.run("t", partition=old).success
    if not noted:
        forget_notes(shop)
    shop.land(FILES[1], "id,at\n2,2\n")
    before = shop.versions()
    shop.table("t", SOURCE + change.after + SILVER)
    for keys, mode in ((("t",), None), (("t",), "rerun"), (("bronze/t",), None)):
        [said] = shop.run(*keys, partition=second[1], mode=mode).failures.values()
        assert change.said in said
        assert "; nothing was landed; undo that, or rename the table's file (t_2.yaml, say)" in said
    assert shop.versions() == before
    # Under a new name all of it lands once more, and the old table stays.
    (shop.root / "assets_config" / "shop" / "t.yaml").rename(shop.root / "assets_config" / "shop" / "t_2.yaml")
    for partition in dict.fromkeys((new, second[1])):
        assert shop.run("t_2", partition=partition).success
    assert shop.rows("silver/t_2", "id") == [1, 2]
    assert shop.rows("silver/t", "id") == [1]
    # What is undone goes on.
    shop.table("t", SOURCE + change.before + SILVER)
    assert shop.run("t", partition=second[0]).success
    assert shop.rows("silver/t", "id") == [1, 2]


def test_partitions_that_mean_the_same_go_on(shop: Workshop) -> None:
    known(shop, "t", "2024-01-01")
    shop.table("t", SOURCE + BY_FILE + SILVER)
    shop.land("2024-01-01.csv", "id,at\n1,1\n")
    assert shop.run("t", partition="2024-01-01").success
    shop.table("t", SOURCE + DAILY.replace("2024-01-01", "2024-01-02") + SILVER)
    shop.land("2024-01-02.csv", "id,at\n2,2\n")
    assert shop.run("t", partition="2024-01-02").success
    assert shop.rows("silver/t", "id", "_partition") == [(1, "2024-01-01"), (2, "2024-01-02")]


@pytest.mark.parametrize("keys", ["", "keys: [id], "], ids=["append", "merge"])
def test_rows_of_no_partition_that_an_earlier_release_has_landed(shop: Workshop, keys: str) -> None:
    shop.table("t", SOURCE + DAILY + SILVER.replace("{columns", f"{{{keys}columns"))
    shop.land("2024-01-01.csv", "id,at\n1,1\n")
    assert shop.run("t", partition="2024-01-01").success
    shop.land("2024-01-02.csv", "id,at\n2,2\n")
    refine(TableRun(shop.project.tables["t"], shop.lake))
    forget_notes(shop)
    shop.land("2024-01-03.csv", "id,at\n3,3\n")
    before = shop.versions()
    for mode in (None, "rerun"):
        [said] = shop.run("t", partition="2024-01-03", mode=mode).failures.values()
        assert "bronze/t: has rows of no partition, which an earlier release has landed in a run without one" in said
    assert shop.versions() == before
    (shop.root / "assets_config" / "shop" / "t.yaml").rename(shop.root / "assets_config" / "shop" / "t_2.yaml")
    for day in (1, 2, 3):
        assert shop.run("t_2", partition=f"2024-01-0{day}").success
    assert shop.rows("silver/t_2", "id", "_partition") == [(day, f"2024-01-0{day}") for day in (1, 2, 3)]


def writes(how: str) -> str:
    return SOURCE + f"silver: {{{how}, columns: {{id: int64, at: int64}}}}\n"


APPEND, BY_ID, BY_BOTH, OVERWRITE = "write: append", "keys: [id]", "keys: [id, at]", "write: overwrite"
#: How a mode is called, as it is wanted; of merged rows it is no more known by which keys.
WORDS = {APPEND: "appended", BY_ID: "merged by ", BY_BOTH: "merged by ", OVERWRITE: "replaced by each batch"}
#: By change: what the first two files leave published, whether the third is refused before a rerun, and what there is at last.
WRITINGS = {
    (APPEND, BY_ID): ([(1, 1), (1, 2), (2, 2)], True, [(1, 2), (2, 2), (3, 3)]),
    (APPEND, BY_BOTH): ([(1, 1), (1, 2), (2, 2)], False, [(1, 1), (1, 2), (2, 2), (3, 3)]),
    (APPEND, OVERWRITE): ([(1, 1), (1, 2), (2, 2)], False, [(3, 3)]),
    (BY_ID, APPEND): ([(1, 2), (2, 2)], True, [(1, 1), (1, 2), (2, 2), (3, 3)]),
    (BY_ID, BY_BOTH): ([(1, 2), (2, 2)], True, [(1, 1), (1, 2), (2, 2), (3, 3)]),
    (BY_BOTH, BY_ID): ([(1, 1), (1, 2), (2, 2)], True, [(1, 2), (2, 2), (3, 3)]),
    (OVERWRITE, APPEND): ([(1, 2), (2, 2)], True, [(1, 1), (1, 2), (2, 2), (3, 3)]),
    (OVERWRITE, BY_ID): ([(1, 2), (2, 2)], True, [(1, 2), (2, 2), (3, 3)]),
}


@pytest.mark.parametrize(("change", "wanted"), WRITINGS.items(), ids=[f"{a} to {b}" for a, b in WRITINGS])
def test_a_mode_or_keys_that_change(
    shop: Workshop, change: tuple[str, str], wanted: tuple[list[tuple[int, int]], bool, list[tuple[int, int]]]
) -> None:
    (before, after), (published, refused, at_last) = change, wanted
    shop.table("t", writes(before))
    for day, content in ((1, "1,1\n"), (2, "1,2\n2,2\n")):
        shop.land(f"{day}.csv", f"id,at\n{content}")
        assert shop.run("t").success
    assert shop.rows("silver/t", "id", "at") == published
    shop.table("t", writes(after))
    shop.land("3.csv", "id,at\n3,3\n")
    if refused:
        versions = shop.versions()
        [said] = shop.run("t").failures.values()
        assert said.startswith(f"silver/t: wanted rows that are {WORDS[after]}")
        assert f", got rows that were {WORDS[before]}" in said
        assert said.endswith("; nothing was landed; run t with mode: rerun, which makes the table anew from bronze")
        assert shop.versions() == versions
        assert shop.run("t", mode="rerun").success
    assert shop.run("t").success
    assert shop.rows("silver/t", "id", "at") == at_last
    # It is asked once, and not at each run.
    shop.land("4.csv", "id,at\n4,4\n")
    assert shop.run("t").success
    assert (4, 4) in shop.rows("silver/t", "id", "at")


@pytest.mark.parametrize(("second", "refused"), [("1,2\n", True), ("2,2\n", False), (",2\n", True)])
def test_keys_are_added_to_a_table_of_an_earlier_release(shop: Workshop, second: str, refused: bool) -> None:
    shop.table("t", writes(APPEND))
    shop.land("1.csv", "id,at\n1,1\n")
    shop.land("2.csv", f"id,at\n{second}")
    assert shop.run("t").success
    forget_notes(shop)
    shop.table("t", writes(BY_ID))
    shop.land("3.csv", "id,at\n1,3\n")
    ran = shop.run("t")
    assert ran.success is not refused
    if refused:
        [said] = ran.failures.values()
        assert "are merged by id, got rows, some of which repeat these keys, or lack one; nothing was landed" in said
        assert shop.run("t", mode="rerun").success
    assert [row for row in shop.rows("silver/t", "id", "at") if row[0] == 1] == [(1, 3)]


@pytest.mark.parametrize("noted", [True, False], ids=["", "of an earlier release"])
def test_partitions_are_made_anew_one_by_one(shop: Workshop, noted: bool) -> None:
    over = {
        "dagster/asset_partition_range_start": "2024-01-01",
        "dagster/asset_partition_range_end": "2024-01-02",
    }
    whole = DAILY + writes(APPEND)
    shop.table("t", whole)
    for day, content in ((1, "1,1\n1,1\n"), (2, "2,2\n2,2\n")):
        shop.land(f"2024-01-0{day}.csv", f"id,at\n{content}")
    assert shop.run("t", tags=over).success
    if not noted:
        forget_notes(shop)
    shop.table("t", DAILY + writes(BY_ID))
    shop.land("2024-01-03.csv", "id,at\n3,3\n")
    assert not shop.run("t", partition="2024-01-03").success
    assert shop.run("t", partition="2024-01-01", mode="rerun").success
    [said] = shop.run("t", partition="2024-01-03").failures.values()
    assert "(2024-01-02); nothing was landed; run t with mode: rerun over all its partitions" in said
    assert shop.run("t", tags=over, mode="rerun").success
    assert shop.run("t", partition="2024-01-03").success
    assert shop.rows("silver/t", "id") == [1, 2, 3]


ORDERS = {"the last": "", "at": "merge: {order_by: at}", "n": "merge: {order_by: n}"}


def ordered(by: str, partitions: str = "") -> str:
    said = f"{ORDERS[by]}, " if ORDERS[by] else ""
    return f"{SOURCE}{partitions}silver: {{keys: [id], {said}columns: {{id: int64, at: int64, n: int64}}}}\n"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("at", "n", "merged by id, the greatest n of each, got rows that were merged by id, the greatest at of each;"),
        ("the last", "n", "merged by id, the greatest n of each, got rows that were merged by id, the last of each;"),
        ("at", "the last", "merged by id, the last of each, got rows that were merged by id, the greatest at of each;"),
    ],
)
@pytest.mark.parametrize("noted", [True, False], ids=["", "of an earlier release"])
def test_an_order_that_changes(shop: Workshop, before: str, after: str, said: str, noted: bool) -> None:
    """Rows of key 1: the greatest `at`, the greatest `n`, and the last that came."""
    counts = {"at": 9, "n": 5, "the last": 1}
    shop.table("t", ordered(before))
    for number, content in enumerate(("1,9,1", "1,5,9", "1,1,1")):
        shop.land(f"{number}.csv", f"id,at,n\n{content}\n")
        assert shop.run("t").success
    assert shop.rows("silver/t", "at") == [counts[before]]
    if not noted:
        forget_notes(shop, of=("ordered",))
    shop.table("t", ordered(after))
    shop.land("3.csv", "id,at,n\n2,2,2\n")
    if noted:
        versions = shop.versions()
        [told] = shop.run("t").failures.values()
        assert said in told
        assert told.endswith("; nothing was landed; run t with mode: rerun, which makes the table anew from bronze")
        assert shop.versions() == versions
        assert shop.run("t", mode="rerun").success
    assert shop.run("t").success
    # What an earlier release has decided stays, until somebody makes it anew.
    assert shop.rows("silver/t", "at") == sorted([2, counts[after if noted else before]])
    shop.land("4.csv", "id,at,n\n4,4,4\n")
    assert shop.run("t").success


def test_an_order_that_changes_over_partitions(shop: Workshop) -> None:
    shop.table("t", ordered("at", DAILY))
    for day in (1, 2):
        shop.land(f"2024-01-0{day}.csv", f"id,at,n\n1,{day},{9 - day}\n{day}0,1,1\n")
        assert shop.run("t", partition=f"2024-01-0{day}").success
    shop.table("t", ordered("n", DAILY))
    assert shop.run("t", partition="2024-01-01", mode="rerun").success
    shop.land("2024-01-03.csv", "id,at,n\n3,3,3\n")
    [said] = shop.run("t", partition="2024-01-03").failures.values()
    assert "got rows that were merged by id, the greatest at of each (2024-01-02); nothing was landed" in said
    assert "run t with mode: rerun over all its partitions" in said
    assert shop.run("t", partition="2024-01-02", mode="rerun").success
    assert shop.run("t", partition="2024-01-03").success
    assert shop.rows("silver/t", "id", "n") == [(1, 8), (10, 1), (20, 1), (3, 3)]


def test_a_table_that_was_merged_and_appended_meanwhile_asks_for_no_order(shop: Workshop) -> None:
    shop.table("t", ordered("at"))
    shop.land("1.csv", "id,at,n\n1,1,1\n")
    assert shop.run("t").success
    shop.table("t", ordered("at").replace("keys: [id], merge: {order_by: at}", "write: append"))
    assert shop.run("t", mode="rerun").success
    shop.table("t", ordered("n"))
    shop.land("2.csv", "id,at,n\n2,2,2\n")
    assert shop.run("t").success
