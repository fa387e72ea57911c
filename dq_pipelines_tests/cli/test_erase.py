"""`dq erase`: what it says before and after, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

from dq_pipelines.layers.refinement import refine
from dq_pipelines.layers.work import Work
from dq_pipelines_tests.workshop import Workshop

from .conftest import Dq


def test_erase(dq: Dq, tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.table("sales", 'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {columns: {id: int64}}\n')
    shop.table("totals", "gold: {sql: select count(*) as n from silver.sales}")
    shop.land("a.csv", "id,mail\n1,zoe\n2,yan\n3,zoe\n")
    refine(Work(shop.project.tables["sales"], shop.lake))

    ran = dq("erase", "sales", "--where", "mail = 'zoe'", "--dry-run")
    assert ran.stdout == (
        "lake bronze/sales: 2 rows would go\nlake quarantine/sales: 0 rows would go\nlake silver/sales: 2 rows would go\n"
    )
    assert shop.rows("silver/sales", "id") == [1, 2, 3]

    ran = dq("erase", "sales", "--where", "id = 1")
    assert (ran.returncode, shop.rows("silver/sales", "id")) == (0, [2, 3])
    assert "lake silver/sales: 1 row, 1 file rewritten, 1 file of older versions removed" in ran.stdout
    assert "materialize anew, since computed from the rows: gold/totals" in ran.stdout
    assert f"the inputs in which the rows landed: {shop.landing}/a.csv" in ran.stdout

    certificate = json.loads(dq("erase", "silver/sales", "--where", "mail = 'zoe'", "--json", "--yes").stdout)
    assert {one["table"]: one["rows"] for one in certificate["erased"]} == {
        "bronze/sales": 1,
        "quarantine/sales": 0,
        "silver/sales": 1,
    }
    assert len(list((tmp_path / "lake" / ".erasures").iterdir())) == 2

    assert "no column 'mial' (nearest: mail)" in dq("erase", "sales", "--where", "mial = 'zoe'").stderr
    assert "wanted a table that lands, got gold/totals" in dq("erase", "totals", "--where", "n = 1").stderr
