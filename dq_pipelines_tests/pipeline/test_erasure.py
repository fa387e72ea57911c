"""Erasure: no file of the lake, of its backup or of the history holds the person any more, and everybody else is there."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from dq_pipelines.errors import ConfigError
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.bronze.ingest import land
from dq_pipelines.pipeline.gold import compute
from dq_pipelines.pipeline.maintenance.certificates import Certificate, row_ranges
from dq_pipelines.pipeline.maintenance.erasure import erase, preview_erasure
from dq_pipelines.pipeline.maintenance.erasure_plan import ErasureRequest
from dq_pipelines.pipeline.maintenance.retention import expire
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines.project.checked_rules import checked_rules
from dq_pipelines_tests.workshop import Workshop, at_once

pytestmark = pytest.mark.slow

TODAY = datetime.now(UTC)
OLD, NEW = ((TODAY - timedelta(days=days)).date().isoformat() for days in (40, 1))
#: Stands in every row of the person, and nowhere else.
MARK = "zoe.quixotry"

SALES = """
    source: {type: csv, path: "{landing}/sales/*.csv"}
    retention: {keep: 30d, by: sold_at, backup: true}
    silver:
      KEYS
      columns: {id: int64, customer_id: int64, sold_at: date, amount: int64}
      transform: STEPS
      rules:
        - {type: expect_column_values_to_be_between, column: amount, min_value: 0}
        - {type: expect_column_max_to_be_between, column: mail, max_value: a, severity: warning}
"""
HEAD = "id,customer_id,sold_at,amount,mail\n"
FIRST = f"{HEAD}1,7,{OLD},10,{MARK}@a\n2,8,{OLD},20,b\n3,7,{NEW},30,{MARK}@c\n4,8,{NEW},40,d\n5,7,{NEW},-1,{MARK}@e\n6,8,{NEW},-1,f\n"
SECOND = f"{HEAD}7, 7 ,{NEW},1,{MARK}@g\n8,x,{NEW},1,h\n9,7,no date,1,{MARK}@i\n10,8,{NEW},1,j\n"


def seeded(shop: Workshop, keys: str = "", steps: str = "[]") -> TableRun:
    shop.table("sales", SALES.replace("KEYS", keys).replace("STEPS", steps))
    shop.table("mails", 'gold: {sql: "select customer_id, mail from silver.sales"}')
    shop.table("totals", "gold: {sql: select max(mail) as last from gold.mails}")
    work = TableRun(shop.project.tables["sales"], shop.lake)
    shop.land("sales/a.csv", FIRST)
    outcome = refine(at_once(work))
    assert outcome is not None
    shop.history.record(outcome.record("run-1", checked_rules(work.table)))
    for name in ("mails", "totals"):
        compute(TableRun(shop.project.tables[name], shop.lake))
    expire(work, backups(shop))
    shop.land("sales/b.csv", SECOND)
    refine(at_once(work))
    return work


def backups(shop: Workshop) -> Lake:
    return Lake(f"{shop.lake.root}-backup")


def erased(shop: Workshop, work: TableRun, where: str = "customer_id = 7") -> Certificate:
    return erase(ErasureRequest(work, shop.project, where, backups(shop)), shop.history, "somebody")


def holding(root: Path, text: str) -> list[str]:
    """The files that hold a text, Parquet by its rows; the configuration and the inputs left out."""
    found = []
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.parts[len(root.parts)] in ("landing", "assets_config"):
            continue
        content = str(pl.read_parquet(path).to_dicts()).encode() if path.suffix == ".parquet" else path.read_bytes()
        if text.encode() in content:
            found.append(str(path.relative_to(root)))
    return found


@pytest.mark.parametrize(
    "steps", ["[]", '[{sql: "select id, customer_id, sold_at, amount, mail from self"}]'], ids=["", "opaque"]
)
@pytest.mark.parametrize("keys", ["", "keys: [id]"], ids=["append", "merge"])
def test_nothing_holds_the_person(tmp_path: Path, keys: str, steps: str) -> None:
    shop = Workshop(tmp_path)
    work = seeded(shop, keys, steps)
    assert len(holding(tmp_path, MARK)) > 10
    others = [row for row in shop.rows("bronze/sales", "id", "mail") if MARK not in row[1]]
    others_published = [row for row in shop.rows("silver/sales", "id", "mail") if MARK not in row[1]]

    found = erased(shop, work)
    compute(TableRun(shop.project.tables["mails"], shop.lake))
    compute(TableRun(shop.project.tables["totals"], shop.lake))
    erased(shop, work)
    assert holding(tmp_path, MARK) == []

    assert shop.rows("bronze/sales", "id", "mail") == others
    assert shop.rows("silver/sales", "id", "mail") == others_published
    assert sorted(shop.rows("quarantine/sales", "id")) == ["6", "8"]
    assert len(backups(shop).table("silver/sales").scan().collect()) == 1
    assert refine(at_once(work)) is None, "the ledger outlives the log"
    rerun(work)
    assert holding(tmp_path, MARK) == []
    assert found.history_results == 1
    assert found.gold_to_materialize == ("gold/mails", "gold/totals")
    assert found.dagster_runs == ("run-1",)
    assert [Path(name).name for name in found.inputs] == ["a.csv", "b.csv"]
    rows = {f"{each.place} {each.table}": each.rows for each in found.erased}
    assert rows["lake silver/sales"] == 2
    assert rows["lake gold/mails"] == 2
    assert rows["lake quarantine/sales"] == 2
    assert rows["backup silver/sales"] == 1
    assert rows["lake bronze/sales"] == (5 if steps != "[]" else 4)


def test_the_history_of_a_renamed_table_forgets_the_person(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    seeded(shop)
    (tmp_path / "assets_config/shop/sales.yaml").rename(tmp_path / "assets_config/shop/orders.yaml")
    for name in ("mails", "totals"):
        (tmp_path / f"assets_config/shop/{name}.yaml").unlink()
    work = TableRun(shop.project.tables["orders"], shop.lake)
    refine(at_once(work))
    wish = ErasureRequest(work, shop.project, "customer_id = 7", backups(shop), also=("sales", "mails"))
    found = erase(wish, shop.history, "somebody")
    assert (found.history_results, found.dagster_runs) == (1, ("run-1",))
    assert [name for name in holding(tmp_path, MARK) if "history" in name] == []


def test_the_certificate_is_kept_without_the_value(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    found = erased(shop, seeded(shop), f"mail like '{MARK}%' and customer_id in (7, 9)")
    (path,) = (tmp_path / "lake" / ".erasures").iterdir()
    kept = json.loads(path.read_text())
    assert kept["predicate"] == "mail LIKE ? AND customer_id IN (?, ?)"
    assert (kept["id"], kept["by"], kept["table"]) == (found.id, "somebody", "silver/sales")
    assert json.loads(found.to_json())["predicate"] == f"mail like '{MARK}%' and customer_id in (7, 9)"


def test_a_cell_that_is_no_number_is_matched_as_text(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = seeded(shop)
    wish = ErasureRequest(work, shop.project, "customer_id = 'x'", backups(shop))
    assert {key: rows for _, key, rows in preview_erasure(wish) if rows} == {"bronze/sales": 1, "quarantine/sales": 1}
    wish = ErasureRequest(work, shop.project, "sold_at = 'no date' and customer_id = 7", backups(shop))
    assert {key: rows for _, key, rows in preview_erasure(wish) if rows} == {"bronze/sales": 1, "quarantine/sales": 1}


def test_with_keys_what_the_erased_row_replaced_goes_too(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = seeded(shop, "keys: [id]")
    shop.land("sales/c.csv", f"{HEAD}4,7,{NEW},1,{MARK}@k\n")
    refine(at_once(work))
    erased(shop, work)
    rerun(work)
    assert shop.rows("silver/sales", "id") == [10]


def test_a_mended_row_is_erased_with_its_correction(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = seeded(shop)
    shop.land("sales/c.csv", f"{HEAD}30,x,{NEW},1,k\n")
    refine(at_once(work))
    quarantine = work.quarantine.scan().collect()
    ids = dict(zip(quarantine["id"], quarantine["_id"], strict=True))
    replay(at_once(work), by="ann", edits={ids["30"]: {"customer_id": "7", "mail": f"{MARK}@k"}})
    assert 30 in shop.rows("silver/sales", "id")
    erased(shop, work)
    for name in ("mails", "totals"):
        compute(TableRun(shop.project.tables[name], shop.lake))
    erased(shop, work)
    assert holding(tmp_path, MARK) == []
    assert "30" not in shop.rows("bronze/sales", "id")


def test_rows_that_wait_are_erased(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = seeded(shop)
    shop.land("sales/c.csv", f"{HEAD}20,7,{NEW},1,{MARK}@k\n21,8,{NEW},1,l\n")
    land(at_once(work))
    erased(shop, work)
    refine(at_once(work))
    assert 20 not in shop.rows("silver/sales", "id")
    assert 21 in shop.rows("silver/sales", "id")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("customer = 7", r"--where: no column 'customer' \(nearest: customer_id\)"),
        ("customer_id = lower(mail)", r"which has LOWER\(mail\) instead of a literal"),
        ("customer_id > 'x'", "wanted a value of type int64, got 'x'"),
        ("customer_id = 7; select 1", "which is no condition"),
        ("customer_id = 7 order by mail", "which is no condition"),
        ("customer_id in (select 1)", "wanted a condition of columns compared with literals"),
        ("read_csv('/etc/passwd') = 1", "instead of a column"),
        ("customer_id", "which has customer_id"),
        ("", "which does not parse"),
    ],
)
def test_what_is_no_condition(tmp_path: Path, where: str, said: str) -> None:
    shop = Workshop(tmp_path)
    shop.table("sales", SALES.replace("KEYS", "").replace("STEPS", "[]"))
    shop.land("sales/a.csv", FIRST)
    work = TableRun(shop.project.tables["sales"], shop.lake)
    refine(at_once(work))
    before = shop.versions()
    with pytest.raises(ConfigError, match=said):
        erased(shop, work, where)
    assert shop.versions() == before


def test_the_certificate_has_the_rows_of_each_input_in_runs() -> None:
    rows = pl.LazyFrame({"_source": ["b", "a", "a", "a", "b", "a", "a"], "_row": [2, 5, 2, 3, 4, 3, 9]})
    assert row_ranges(rows) == {"a": [[2, 3], [5, 5], [9, 9]], "b": [[2, 2], [4, 4]]}
