"""Upkeep: fewer files, the same rows in the same order, and nobody is disturbed who reads or writes meanwhile."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from dq_pipelines.lake.compaction import vacuum
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.bronze.ingest import land
from dq_pipelines.pipeline.bronze.landed import batches
from dq_pipelines.pipeline.maintenance.compaction import UpkeepResult, preview_upkeep, run_upkeep
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines_tests.pipeline.test_concurrency import ORDERS, landed, writers
from dq_pipelines_tests.workshop import Workshop, at_once, delta_of

WEEK = timedelta(days=7)
KEYS = ("bronze/orders", "quarantine/orders", "silver/orders")


def backups(shop: Workshop) -> Lake:
    return Lake(f"{shop.lake.root}-backup")


def seeded(shop: Workshop, keys: str = "", files: int = 4, more: str = "") -> TableRun:
    shop.table("orders", ORDERS.replace("KEYS", keys) + more)
    work = TableRun(shop.project.tables["orders"], shop.lake)
    for number in range(files):
        shop.land(f"orders/{number}.csv", f"id,amount,sign\n{number},1,1\n{number + 1},2,1\n9,{number},-1\n")
        refine(at_once(work))
    return work


def in_order(shop: Workshop) -> dict[str, list[tuple[object, ...]]]:
    return {key: shop.lake.table(key).scan().collect().rows() for key in KEYS}


def files(shop: Workshop, key: str) -> int:
    return len(delta_of(shop.lake.table(key)).file_uris())


@pytest.mark.parametrize("keys", ["", "keys: [id]"], ids=["append", "merge"])
def test_small_files_become_one_and_rows_stay(tmp_path: Path, keys: str) -> None:
    shop = Workshop(tmp_path)
    work = seeded(shop, keys)
    before, names = (
        {key: Counter(map(repr, rows)) for key, rows in in_order(shop).items()},
        batches(work.table, shop.lake),
    )
    oldest_first = shop.lake.table("bronze/orders").scan().sort("_ingested_at", "_source", "_row").collect().rows()
    planned = preview_upkeep(work, backups(shop), WEEK)
    assert UpkeepResult("lake", "bronze/orders", 4, 1, 0) in planned

    assert run_upkeep(work, backups(shop), WEEK) == planned
    assert [files(shop, key) for key in KEYS] == [1, 1, 1]
    after = in_order(shop)
    assert {key: Counter(map(repr, rows)) for key, rows in after.items()} == before
    assert after["bronze/orders"] == oldest_first
    versions = shop.versions()
    assert not any(each.changed for each in run_upkeep(work, backups(shop), WEEK))
    assert shop.versions() == versions, "a second look changes nothing"
    assert shop.leftovers() == []

    assert set(batches(work.table, shop.lake)) == set(names), "a file holds four batches by now"
    assert refine(at_once(work)) is None
    shop.land("orders/new.csv", "id,amount,sign\n100,1,1\n")
    land(at_once(work))
    assert len(batches(work.table, shop.lake)) == 5
    outcome = refine(at_once(work))
    assert outcome is not None
    assert outcome.counts.rows_in == 1
    silver = shop.rows("silver/orders")
    rerun(work)
    assert shop.rows("silver/orders") == silver


def test_partitions_stay_apart(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.table("orders", ORDERS.replace("KEYS", "") + "    partitions: {type: dynamic}\n")
    table = shop.project.tables["orders"]
    for name in ("a b", "c"):
        for rows in (1, 2):
            shop.land(f"orders/{name}.csv", "id,amount,sign\n" + "1,1,1\n" * rows)
            refine(TableRun(table, shop.lake, name))
    run_upkeep(TableRun(table, shop.lake), backups(shop), WEEK)
    assert files(shop, "silver/orders") == 2
    assert shop.rows("silver/orders", "_partition") == ["a b"] * 3 + ["c"] * 3


def test_vacuum_keeps_what_is_young(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = seeded(shop, "keys: [id]")
    table = shop.lake.table("silver/orders")
    assert run_upkeep(work, backups(shop), timedelta(hours=1))[1].vacuumed == 0
    pl.scan_delta(table.uri, version=0).collect()
    gone = vacuum(table, timedelta(0))
    assert gone
    assert [
        path for path in (tmp_path / "lake" / "silver" / "orders").rglob("*.parquet") if "_delta_log" not in path.parts
    ]
    with pytest.raises(OSError):  # noqa: PT011 - whatever the reader says
        pl.scan_delta(table.uri, version=0).collect()
    assert shop.rows("silver/orders", "id") == [0, 1, 2, 3, 4]
    assert shop.leftovers() == []


@pytest.mark.slow
def test_beside_writers(tmp_path: Path) -> None:
    """Files come and go under runs of the same table, which take turns with the upkeep: no row is lost or doubled."""
    shop = Workshop(tmp_path)
    work = seeded(shop, files=2)
    storm = threading.Thread(target=writers, args=(shop, 2, 4))
    storm.start()
    tended = 0
    while storm.is_alive():
        tended += sum(each.changed for each in run_upkeep(work, backups(shop), timedelta(0)))
        time.sleep(0.05)
    storm.join()
    assert tended > 2
    assert refine(at_once(work)) is None
    published = Counter(shop.rows("silver/orders", "id", "amount", "sign"))
    assert published == Counter(row for row in landed(shop) if row[2] >= 0)
    assert len(shop.rows("bronze/orders")) == len(landed(shop))


def test_the_job_and_its_schedule(shop: Workshop) -> None:
    seeded(shop)
    shop.table("daily", "gold: {sql: select id from silver.orders}")
    (shop.root / "assets_config" / "project.yaml").write_text("upkeep: {schedule: 0 1 * * *, keep_versions: 12h}\n")
    ran = shop.run_job("upkeep")
    assert ran.success
    assert ran.started == {"tend__orders", "tend__daily"}
    assert files(shop, "bronze/orders") == 1
    schedule = shop.definitions.resolve_schedule_def("upkeep_schedule")
    assert (schedule.cron_schedule, schedule.default_status) == ("0 1 * * *", dg.DefaultScheduleStatus.RUNNING)
