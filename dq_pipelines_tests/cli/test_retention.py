"""`dq retention`: what it says, what it deletes, how it ends."""

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


def test_says_what_would_go_and_deletes_it(dq: Dq, tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.table("sales", SALES)
    shop.table("other", 'source: {type: csv, path: "{landing}/other/*.csv"}')
    assert "silver/sales: nothing is published yet" in dq("retention").stdout
    shop.land("sales/a.csv", "id,sold_at\n1,2020-01-01\n2,2999-01-01\n")
    refine(TableRun(shop.project.tables["sales"], shop.lake))

    said = dq("retention", "sales", "--dry-run").stdout
    assert (
        "silver/sales: would delete rows: bronze/sales 1, quarantine/sales 0, silver/sales 1; retention: sold_at before"
        in said
    )
    assert shop.rows("silver/sales", "id") == [1, 2]
    ran = dq("retention", DQ_BACKUP=str(tmp_path / "old"))
    assert ran.returncode == 0
    assert "deleted rows: bronze/sales 1" in ran.stdout
    assert "; 2 rows copied to the backup first" in ran.stdout
    assert shop.rows("silver/sales", "id") == [2]
    assert (tmp_path / "old" / "silver" / "sales").is_dir()
    assert "nothing to delete" in dq("retention").stdout

    assert "unknown table 'sale' (nearest: sales)" in dq("retention", "sale").stderr
    ran = dq("retention", "other")
    assert (ran.returncode, ran.stderr) == (
        2,
        "dq retention: wanted a table with `retention`, got silver/other, which has none\n",
    )
