"""The restore drill: what was there is there again, by time and from the backup, and nothing is there twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dq_pipelines.errors import ConfigError, PublishError
from dq_pipelines.lake.tables import Lake
from dq_pipelines.lake.time_travel import Moment
from dq_pipelines.pipeline.maintenance.restore import plan_recovery, plan_restore, recover, restore
from dq_pipelines.pipeline.maintenance.retention import expire
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines_tests.workshop import Workshop, at_once, content, delta_of

TODAY = datetime.now(UTC)
OLD, NEW = ((TODAY - timedelta(days=days)).date().isoformat() for days in (40, 1))
LAYERS = ("bronze/sales", "quarantine/sales", "silver/sales")

SALES = """
    source: {type: csv, path: "{landing}/sales/*.csv"}
    retention: {keep: 30d, by: sold_at, backup: true}
    silver:
      KEYS
      columns: {id: int64, sold_at: date, amount: int64}
      rules: [{type: expect_column_values_to_be_between, column: amount, min_value: 0}]
"""
FIRST = f"id,sold_at,amount\n1,{OLD},10\n2,{NEW},20\n3,{OLD},-1\n4,{NEW},-1\n"
SECOND = f"id,sold_at,amount\n1,{NEW},11\n5,{NEW},50\n6,{NEW},-6\n"


def sales(shop: Workshop, keys: str = "") -> TableRun:
    shop.table("sales", SALES.replace("KEYS", keys))
    return TableRun(shop.project.tables["sales"], shop.lake)


def land(work: TableRun, shop: Workshop, name: str, text: str) -> None:
    shop.land(f"sales/{name}.csv", text)
    assert refine(at_once(work)) is not None


def backups(shop: Workshop) -> Lake:
    return Lake(f"{shop.lake.root}-backup")


def everything(shop: Workshop) -> dict[str, object]:
    return {key: content(shop.lake.table(key).scan().collect()) for key in LAYERS}


@pytest.mark.parametrize("keys", ["", "keys: [id]"], ids=["append", "merge"])
def test_what_was_consumed_since_is_consumed_again(tmp_path: Path, keys: str) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop, keys)
    land(work, shop, "a", FIRST)
    first, now = everything(shop), datetime.now(UTC)
    land(work, shop, "b", SECOND)
    second = everything(shop)

    planned = plan_restore(work, Moment(now.isoformat()))
    assert [(each.table.key, each.rows) for each in planned] == [
        ("silver/sales", (3 if keys else 4, 2)),
        ("quarantine/sales", (3, 2)),
    ]
    assert everything(shop) == second, "a plan writes nothing"
    versions = shop.versions()
    assert [each.key for each in restore(work, Moment(now.isoformat()))] == ["silver/sales", "quarantine/sales"]
    assert everything(shop) == first | {"bronze/sales": second["bronze/sales"]}
    assert {key: version - versions[key] for key, version in shop.versions().items()} == {
        "silver/sales": 1,
        "quarantine/sales": 1,
        "bronze/sales": 0,
    }
    assert restore(work, Moment(now.isoformat())) == [], "it is back already"

    outcome = refine(at_once(work))
    assert outcome is not None
    assert (outcome.counts.rows_in, outcome.counts.published) == (3, 2)
    assert everything(shop) == second
    assert refine(at_once(work)) is None
    rerun(work)
    assert everything(shop) == second


def test_killed_between_silver_and_quarantine(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop)
    land(work, shop, "a", FIRST)
    land(work, shop, "b", SECOND)
    second = everything(shop)
    restore(work, Moment("0"), "silver")
    refine(at_once(work))
    assert everything(shop) == second, "what quarantine had of the second batch was replaced, not doubled"


def test_a_layer_alone_where_rows_would_be_nowhere_or_twice(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop)
    land(work, shop, "a", FIRST)
    land(work, shop, "b", SECOND)
    with pytest.raises(PublishError, match=r"1 input has landed since version 0.*bronze keeps its rows"):
        restore(work, Moment("0"), "bronze")
    with pytest.raises(PublishError, match="silver has consumed 1 batch since version 0"):
        restore(work, Moment("0"), "quarantine")
    expire(work, backups(shop))
    assert len(shop.rows("bronze/sales")) == 5
    restore(work, Moment("1"), "bronze")
    assert len(shop.rows("bronze/sales")) == 7


def test_after_retention_the_backup_is_void_for_what_is_back(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop)
    land(work, shop, "a", FIRST)
    before, now = everything(shop), datetime.now(UTC)
    expire(work, backups(shop))
    restore(work, Moment(now.isoformat()))
    assert everything(shop)["silver/sales"] == before["silver/sales"]
    assert [each.table.key for each in plan_recovery(work, backups(shop))] == ["bronze/sales"]
    expire(work, backups(shop))
    assert len(backups(shop).table("silver/sales").scan().collect()) == 1
    assert len(backups(shop).table("bronze/sales").scan().collect()) == 2


@pytest.mark.parametrize("keys", ["", "keys: [id]"], ids=["append", "merge"])
def test_the_drill(tmp_path: Path, keys: str) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop, keys)
    land(work, shop, "a", FIRST)
    before = everything(shop)
    for _ in range(2):  # what is back grows old again, and is backed up anew
        expire(work, backups(shop))
        assert shop.rows("silver/sales", "id") == [2]
        assert sum(each.count() for each in plan_recovery(work, backups(shop))) == 4
        recover(work, backups(shop))
        assert everything(shop) == before
        assert recover(work, backups(shop)) == [], "each deletion comes back once"
        assert refine(at_once(work)) is None
        rerun(work)
        assert everything(shop) == before


def test_with_keys_a_newer_row_stays(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop, "keys: [id]")
    land(work, shop, "a", FIRST)
    expire(work, backups(shop))
    land(work, shop, "b", SECOND)
    (silver,) = [each for each in plan_recovery(work, backups(shop)) if each.table.key == "silver/sales"]
    assert silver.count() == 0
    recover(work, backups(shop))
    assert shop.rows("silver/sales", "id", "amount") == [(1, 11), (2, 20), (5, 50)]
    rerun(work)
    assert shop.rows("silver/sales", "id", "amount") == [(1, 11), (2, 20), (5, 50)]


def test_interrupted_between_two_layers(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop)
    land(work, shop, "a", FIRST)
    before = everything(shop)
    expire(work, backups(shop))
    asked: list[int] = []

    def stop_at_the_second() -> None:
        asked.append(1)
        if len(asked) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recover(TableRun(work.table, work.lake, may_commit=stop_at_the_second), backups(shop))
    recover(work, backups(shop))
    assert everything(shop) == before


def test_gold_goes_back_with_its_quarantine(tmp_path: Path) -> None:
    from dq_pipelines.pipeline.gold import compute

    shop = Workshop(tmp_path)
    work = sales(shop)
    shop.table("daily", "gold: {sql: select id from silver.sales}")
    gold = TableRun(shop.project.tables["daily"], shop.lake)
    land(work, shop, "a", FIRST)
    compute(gold)
    land(work, shop, "b", SECOND)
    compute(gold)
    restore(gold, Moment("0"))
    assert shop.rows("gold/daily", "id") == [1, 2]


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("2001-01-01", "silver/sales --as-of: wanted a time since .*, when version 0 was committed, got 2001-01-01"),
        ("7", "silver/sales --as-of: wanted a version from 0 to 1, got 7"),
        ("yesterday", "--as-of: wanted a version number or a time such as .*, got 'yesterday'"),
    ],
)
def test_a_time_that_is_none(tmp_path: Path, when: str, said: str) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop)
    land(work, shop, "a", FIRST)
    land(work, shop, "b", SECOND)
    with pytest.raises(ConfigError, match=said):
        restore(work, Moment(when))


def test_vacuumed_files(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop, "keys: [id]")
    land(work, shop, "a", FIRST)
    land(work, shop, "b", SECOND)
    table = delta_of(shop.lake.table("silver/sales"))
    table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    with pytest.raises(PublishError, match="wanted the files of version 0, but 1 of 1 were vacuumed"):
        restore(work, Moment("0"))


def test_no_backup(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop)
    land(work, shop, "a", FIRST)
    with pytest.raises(PublishError, match="silver/sales: no backup of it"):
        recover(work, backups(shop))
