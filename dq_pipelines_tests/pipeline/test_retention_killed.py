"""Retention killed outright between any two of its commits, and run again: nothing is lost, nothing is backed up twice."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from dq_pipelines.lake.backup import BACKUP_COLUMNS
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.maintenance.retention import expire
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines_tests.forks import fork
from dq_pipelines_tests.workshop import Workshop, content, leftovers

#: Expires one table in a process of its own, which kills itself before or after its n-th copy or deletion.
CHILD = """
import os, signal, sys
from pathlib import Path
from dq_pipelines.lake import backup, rewrite
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.maintenance import retention
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.project import load_project

root, place, moment, calls = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
asked = 0

def dying(function):
    def wrapped(*args, **kwargs):
        global asked
        asked += 1
        if asked == calls and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if asked == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return wrapped

if place == "copy":
    backup.publish = dying(backup.publish)
else:
    rewrite.Removal.commit = dying(rewrite.Removal.commit)
table = load_project(root / "assets_config", environment={}).tables["sales"]
retention.expire(TableRun(table, Lake.at(str(root / "lake"))), Lake.at(str(root / "lake-backup")))
"""

TODAY = datetime.now(UTC)
OLD, NEW = ((TODAY - timedelta(days=days)).date().isoformat() for days in (40, 1))

SALES = """
    source: {type: csv, path: "{landing}/sales/*.csv"}
    retention: {keep: 30d, by: sold_at, backup: true}
    silver:
      keys: [id]
      columns: {id: int64, sold_at: date, amount: int64}
      rules: [{type: expect_column_values_to_be_between, column: amount, min_value: 0}]
"""


def prepared(root: Path) -> Workshop:
    shop = Workshop(root)
    shop.table("sales", SALES)
    shop.land(
        "sales/a.csv", f"id,sold_at,amount\n1,{OLD},10\n2,{NEW},20\n3,{OLD},-1\n4,{NEW},-1\n5,{NEW},50\n6,{OLD},5\n"
    )
    refine(work(shop))
    shop.land("sales/b.csv", f"id,sold_at,amount\n5,{OLD},55\n")
    refine(work(shop))
    return shop


def work(shop: Workshop) -> TableRun:
    return TableRun(shop.project.tables["sales"], shop.lake)


def backups(shop: Workshop) -> Lake:
    return Lake(f"{shop.lake.root}-backup")


def everything(shop: Workshop) -> dict[str, list[dict[str, object]]]:
    """The rows of the lake and of its backup."""
    keys = ("bronze/sales", "quarantine/sales", "silver/sales")
    # `_ingested_at` differs from one workshop to the next, and so do paths and batches.
    own = ("_ingested_at", "_source", "_batch", "_id", *BACKUP_COLUMNS)
    return {
        f"{where} {key}": content(lake.table(key).scan().collect(), *own)
        for where, lake in (("lake", shop.lake), ("backup", backups(shop)))
        for key in keys
    }


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, object]]]:
    shop = prepared(tmp_path_factory.mktemp("unharmed"))
    expire(work(shop), backups(shop))
    found = everything(shop)
    assert {name: len(rows) for name, rows in found.items()} == {
        "lake bronze/sales": 2,
        "lake quarantine/sales": 1,
        "lake silver/sales": 1,
        "backup bronze/sales": 5,
        "backup quarantine/sales": 1,
        "backup silver/sales": 3,
    }
    return found


TELLING = [("copy", "after", 1), ("copy", "after", 3), ("delete", "after", 1), ("delete", "before", 3)]
POINTS = [
    (place, moment, calls) for place in ("copy", "delete") for moment in ("before", "after") for calls in (1, 2, 3)
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "moment", "calls"),
    [pytest.param(*point, marks=() if point in TELLING else pytest.mark.torture) for point in POINTS],
)
def test_killed(
    unharmed: dict[str, list[dict[str, object]]], tmp_path: Path, place: str, moment: str, calls: int
) -> None:
    shop = prepared(tmp_path)
    killed(shop, place, moment, calls)
    expire(work(shop), backups(shop))
    assert everything(shop) == unharmed
    expire(work(shop), backups(shop))
    rerun(work(shop))
    assert everything(shop) == unharmed
    assert shop.leftovers() == []
    assert leftovers(tmp_path / "lake-backup") == []


@pytest.mark.slow
def test_killed_and_meanwhile_more_has_grown_old(tmp_path: Path) -> None:
    """What a killed run copied and did not delete is not backed up twice, nor is what came since deleted uncopied."""
    shop = prepared(tmp_path)
    killed(shop, "copy", "after", 3)
    shop.land("sales/c.csv", f"id,sold_at,amount\n7,{OLD},70\n")
    refine(work(shop))
    killed(shop, "delete", "after", 1)
    expire(work(shop), backups(shop))
    copied = backups(shop).table("silver/sales").scan().select("id").collect()["id"].to_list()
    assert sorted(copied) == [1, 5, 6, 7]
    landed = backups(shop).table("bronze/sales").scan().select(pl.col("id").cast(int)).collect()["id"].to_list()
    assert sorted(landed) == [1, 3, 5, 5, 6, 7]
    assert shop.rows("silver/sales", "id") == [2]


def killed(shop: Workshop, place: str, moment: str, calls: int) -> None:
    child = fork(CHILD, shop.root, place, moment, calls)
    assert child.ended() == -signal.SIGKILL, child.said
