"""`dq restore`: what it says before it changes anything, and how it ends."""

from __future__ import annotations

from pathlib import Path

from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines_tests.workshop import Workshop

from .conftest import Dq

SALES = """
    source: {type: csv, path: "{landing}/sales/*.csv"}
    retention: {keep: 1y, by: sold_at, backup: true}
    silver: {columns: {id: int64, sold_at: date}}
"""


def seeded(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.table("sales", SALES)
    for name, rows in (("a", "1,2020-01-01\n2,2999-01-01\n"), ("b", "3,2999-01-01\n")):
        shop.land(f"sales/{name}.csv", f"id,sold_at\n{rows}")
        refine(TableRun(shop.project.tables["sales"], shop.lake))
    return shop


def test_as_of(dq: Dq, tmp_path: Path) -> None:
    shop = seeded(tmp_path)
    ran = dq("restore", "sales", "--as-of", "0", "--dry-run")
    assert "silver/sales: version 1 back to 0 of 2" in ran.stdout
    assert "rows 3 -> 2; files: 1 removed, 0 restored" in ran.stdout
    assert "the next run judges these batches again: b-" in ran.stdout
    assert shop.rows("silver/sales", "id") == [1, 2, 3]
    ran = dq("restore", "sales", "--as-of", "0", "--yes")
    assert (ran.returncode, shop.rows("silver/sales", "id")) == (0, [1, 2])
    assert "silver/sales is as of version 0 again" in ran.stderr
    refine(TableRun(shop.project.tables["sales"], shop.lake))
    assert "rows 3 -> 2" in dq("restore", "silver/sales", "--as-of", "0", "--dry-run").stdout


def test_from_backup(dq: Dq, tmp_path: Path) -> None:
    shop = seeded(tmp_path)
    assert "no backup of it" in dq("restore", "sales", "--from-backup").stderr
    dq("retention")
    ran = dq("restore", "sales", "--from-backup", "--dry-run")
    assert "silver/sales: 1 row to restore, rows 2 -> 3" in ran.stdout
    assert "older than 1y: the next retention deletes them again" in ran.stdout
    assert shop.rows("silver/sales", "id") == [2, 3]
    assert dq("restore", "sales", "--from-backup").returncode == 0
    assert shop.rows("silver/sales", "id") == [1, 2, 3]
    assert "are already restored" in dq("restore", "sales", "--from-backup").stdout


def test_what_cannot_be_meant(dq: Dq, tmp_path: Path) -> None:
    seeded(tmp_path)
    assert dq("restore", "sale", "--as-of", "0").stderr == "dq restore: unknown table 'sale' (nearest: sales)\n"
    assert "wanted one of --as-of TIME and --from-backup" in dq("restore", "sales").stderr
    assert "without its layer, got silver/sales" in dq("restore", "silver/sales", "--from-backup").stderr
    ran = dq("restore", "sales", "--as-of", "1999-12-31")
    assert (ran.returncode, "wanted a time since" in ran.stderr) == (2, True)
