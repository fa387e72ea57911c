"""`dq upkeep`: what it says it would do, and did."""

from __future__ import annotations

from pathlib import Path

from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines_tests.workshop import Workshop

from .conftest import Dq


def test_upkeep(dq: Dq, tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.table("sales", 'source: {type: csv, path: "{landing}/*.csv"}\n')
    assert dq("upkeep").stderr == "silver/sales: nothing is published yet\n"
    for name in "ab":
        shop.land(f"{name}.csv", "id\n1\n")
        refine(TableRun(shop.project.tables["sales"], shop.lake))
    assert (
        "silver/sales: 2 small files would become 1, 0 old files would be removed" in dq("upkeep", "--dry-run").stdout
    )
    assert "silver/sales: 2 small files became 1, 0 old files were removed" in dq("upkeep", "sales").stdout
    assert "silver/sales: nothing to do" in dq("upkeep").stdout
    assert "unknown table 'sale' (nearest: sales)" in dq("upkeep", "sale").stderr
