"""`dq erase`: what it says before and after, and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from dq_pipelines.pipeline.gold import compute
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines_tests.workshop import Workshop

from .conftest import Dq


def test_erase(dq: Dq, tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.table("sales", 'source: {type: csv, path: "{landing}/*.csv"}\nsilver: {columns: {id: int64}}\n')
    shop.table("totals", "gold: {sql: select count(*) as n from silver.sales}")
    shop.land("a.csv", "id,mail\n1,zoe\n2,yan\n3,zoe\n")
    refine(TableRun(shop.project.tables["sales"], shop.lake))

    ran = dq("erase", "sales", "--where", "mail = 'zoe'", "--dry-run")
    assert ran.stdout == (
        "lake bronze/sales: 2 rows would go\nlake quarantine/sales: 0 rows would go\nlake silver/sales: 2 rows would go\n"
    )
    assert shop.rows("silver/sales", "id") == [1, 2, 3]

    ran = dq("erase", "sales", "--where", "id = 1")
    assert (ran.returncode, shop.rows("silver/sales", "id")) == (0, [2, 3])
    assert "lake silver/sales: 1 row, 1 file rewritten, 1 file of older versions removed" in ran.stdout
    assert "to materialize again, since computed from the rows: gold/totals" in ran.stdout
    assert f"the inputs that held the rows: {shop.landing}/a.csv" in ran.stdout

    certificate = json.loads(dq("erase", "silver/sales", "--where", "mail = 'zoe'", "--json", "--yes").stdout)
    assert {one["table"]: one["rows"] for one in certificate["erased"]} == {
        "bronze/sales": 1,
        "quarantine/sales": 0,
        "silver/sales": 1,
    }
    assert len(list((tmp_path / "lake" / ".erasures").iterdir())) == 2

    # A table that was renamed, and gold that was taken out: their rows are told of, and erased where that is asked.
    config = tmp_path / "assets_config/shop"
    refine(TableRun(shop.project.tables["sales"], shop.lake))
    compute(TableRun(shop.project.tables["totals"], shop.lake))
    (tmp_path / "lake-backup/silver").mkdir(parents=True)
    shutil.copytree(tmp_path / "lake/silver/sales", tmp_path / "lake-backup/silver/sales")
    (config / "sales.yaml").rename(config / "orders.yaml")
    (config / "totals.yaml").unlink()
    shop.land("a.csv", "id,mail\n1,zoe\n2,yan\n3,zoe\n")
    refine(TableRun(shop.project.tables["orders"], shop.lake))
    ran = dq("erase", "orders", "--where", "id = 2")
    unknown = "lake bronze/sales, lake gold/totals, lake quarantine/sales, lake silver/sales, backup silver/sales"
    assert ran.returncode == 1
    assert f"tables that are no longer in YAML, which were not searched: {unknown}\n" in ran.stdout
    where, also = f"{tmp_path}/lake-backup/silver/sales", "add --also sales, or move the folder away"
    assert f"backup silver/sales: the table is no longer in YAML, and {where} was not searched: {also}" in ran.stderr
    ran = dq("erase", "orders", "--where", "id = 2", "--also", "sales", "--json", "--yes")
    certificate = json.loads(ran.stdout)
    assert (ran.returncode, certificate["not_judged"]) == (1, ["lake gold/totals"])
    assert {f"{one['place']} {one['table']}": one["rows"] for one in certificate["erased"]} == {
        "lake bronze/orders": 0, "lake quarantine/orders": 0, "lake silver/orders": 0, "lake bronze/sales": 1,
        "lake quarantine/sales": 0, "lake silver/sales": 1, "backup silver/sales": 1,
    }  # fmt: skip
    assert shop.rows("silver/sales", "id") == []
    assert "got 'sale' (nearest: sales)" in dq("erase", "orders", "--where", "id = 2", "--also", "sale").stderr
    (config / "orders.yaml").rename(config / "sales.yaml")
    shop.table("totals", "gold: {sql: select count(*) as n from silver.sales}")

    assert "no column 'mial' (nearest: mail)" in dq("erase", "sales", "--where", "mial = 'zoe'").stderr
    assert "wanted a table with a source, got gold/totals" in dq("erase", "totals", "--where", "n = 1").stderr
