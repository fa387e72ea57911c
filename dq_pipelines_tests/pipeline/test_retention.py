"""Retention: what is old is gone from every layer, and stays gone; what is not, and what waits, stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from dq_pipelines.errors import RuleError
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.bronze.ingest import land
from dq_pipelines.pipeline.bronze.landed import batches
from dq_pipelines.pipeline.maintenance.restore import recover
from dq_pipelines.pipeline.maintenance.retention import Expiry, expire, preview_expiry
from dq_pipelines.pipeline.replay.replay import replay
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines.pipeline.silver.rerun import rerun
from dq_pipelines_tests.workshop import Workshop, at_once, content, delta_of

TODAY = datetime.now(UTC)

SALES = """
    source: {type: csv, path: "{landing}/sales/*.csv"}
    retention: {keep: 30d, by: sold_at, backup: BACKUP}
    partitions: PARTITIONS
    silver:
      KEYS
      columns: {id: int64, sold_at: TYPE, amount: int64}
      transform: STEPS
      rules:
        - {type: expect_column_values_to_be_between, column: amount, min_value: 0}
"""


def sales(shop: Workshop, keys: str = "", **said: str) -> TableRun:
    text = SALES.replace("KEYS", keys)
    for name, usual in {"type": "date", "steps": "[]", "backup": "false", "partitions": "null"}.items():
        text = text.replace(name.upper(), said.get(name, usual))
    shop.table("sales", text)
    return TableRun(shop.project.tables["sales"], shop.lake, now=TODAY)


def ago(days: float) -> str:
    return (TODAY - timedelta(days=days)).strftime("%Y-%m-%d")


def gone(work: TableRun) -> Expiry:
    found = expire(work, Lake(f"{work.lake.root}-backup"))
    assert found is not None
    return found


def mend(work: TableRun, edits: dict[str, dict[str, str]]) -> None:
    """What a person mends in refused rows, by the `id` of the row."""
    quarantine = work.quarantine.scan().collect()
    ids = dict(zip(quarantine["id"], quarantine["_id"], strict=True))
    replay(at_once(work), by="ann", edits={ids[row]: cells for row, cells in edits.items()})


def counts(shop: Workshop) -> tuple[int, int, int]:
    return tuple(len(shop.rows(f"{layer}/sales")) for layer in ("bronze", "quarantine", "silver"))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("type", "form"), [("date", "%Y-%m-%d"), ("datetime", "%Y-%m-%d %H:%M:%S"), ("timestamp", "%Y-%m-%dT%H:%M:%SZ")]
)
def test_old_rows_leave_every_layer_and_no_rerun_brings_them_back(tmp_path: Path, type: str, form: str) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop, type=type)
    old, new = ((TODAY - timedelta(days=days)).strftime(form) for days in (32, 28))
    shop.land(
        "sales/a.csv",
        f"id,sold_at,amount\n1,{old},10\n2,{new},20\n3,{old},-1\n4,{new},-1\n5,,7\n6,x,7\n7,{old}\n8,{old},1,1\n",
    )
    refine(at_once(work))
    before = counts(shop)
    assert before == (8, 5, 3)
    planned = preview_expiry(work)
    assert planned is not None
    assert planned.rows == {"bronze/sales": 2, "quarantine/sales": 1, "silver/sales": 1}
    assert counts(shop) == before, "a plan deletes nothing"

    assert gone(work).rows == planned.rows
    assert shop.rows("silver/sales", "id") == [2, 5]
    assert shop.rows("bronze/sales", "id") == ["2", "4", "5", "6", None, None]
    assert refine(at_once(work)) is None, "the ledger still says that the file was consumed"
    rows = {layer: shop.rows(f"{layer}/sales") for layer in ("silver", "quarantine")}
    again = rerun(work)
    assert again is not None
    assert again.counts.accounted_for
    assert {layer: shop.rows(f"{layer}/sales") for layer in ("silver", "quarantine")} == rows
    assert gone(work).total == 0
    assert shop.leftovers() == []


def test_a_row_in_quarantine_without_a_date_is_as_old_as_its_landing(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop)
    shop.land("sales/a.csv", f"id,sold_at,amount\n1,x,1\n2,,-1\n3,,3\n4,{ago(-40)},4\n5,1,1,1\n")
    refine(at_once(work))
    assert gone(work).total == 0
    later = TableRun(work.table, work.lake, now=TODAY + timedelta(days=31))
    assert gone(later).rows == {"bronze/sales": 3, "quarantine/sales": 3, "silver/sales": 0}
    assert shop.rows("silver/sales", "id") == [3, 4], "a published row without a date never grows old"
    assert shop.rows("bronze/sales", "id") == ["3", "4"]


def test_with_keys_what_an_expired_row_had_replaced_does_not_come_back(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop, "keys: [id]")
    shop.land("sales/a.csv", f"id,sold_at,amount\n1,{ago(1)},10\n2,{ago(1)},20\n3,{ago(40)},30\n")
    refine(at_once(work))
    shop.land("sales/b.csv", f"id,sold_at,amount\n1,{ago(40)},11\n3,{ago(1)},31\n2,{ago(40)},-5\n")
    refine(at_once(work))
    assert gone(work).rows["silver/sales"] == 1
    assert shop.rows("silver/sales", "id", "amount") == [(2, 20), (3, 31)], "a refused version replaces nothing"
    rerun(work)
    assert shop.rows("silver/sales", "id", "amount") == [(2, 20), (3, 31)]


def test_what_waits_to_be_judged_stays(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop)
    shop.land("sales/a.csv", f"id,sold_at,amount\n1,{ago(40)},10\n")
    refine(at_once(work))
    shop.land("sales/b.csv", f"id,sold_at,amount\n2,{ago(40)},20\n")
    land(at_once(work))
    gone(work)
    assert shop.rows("bronze/sales", "id") == ["2"]
    refine(at_once(work))
    assert shop.rows("silver/sales", "id") == [2]


def test_bronze_keeps_a_batch_to_a_file(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop)
    for name in "abc":
        shop.land(f"sales/{name}.csv", f"id,sold_at,amount\n1,{ago(40)},10\n2,{ago(1)},20\n3,{ago(1)},30\n")
        refine(at_once(work))
    three = set(batches(work.table, work.lake))
    gone(work)
    adds = pl.DataFrame(delta_of(shop.lake.table("bronze/sales")).get_add_actions(flatten=True))
    assert adds["min._batch"].to_list() == adds["max._batch"].to_list()
    assert set(batches(work.table, work.lake)) == three


def test_a_step_that_forgets_where_rows_came_from_keeps_them_in_bronze(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop, steps='[{sql: "select id, sold_at, amount from self"}]')
    shop.land("sales/a.csv", f"id,sold_at,amount\n1,{ago(40)},10\n2,{ago(1)},20\n")
    refine(at_once(work))
    found = gone(work)
    assert found.rows == {"bronze/sales": 0, "quarantine/sales": 0, "silver/sales": 1}
    assert found.untraceable == 2
    work = sales(shop, steps='[{sql: "select * from self where amount <> 20"}]')
    rerun(work)
    found = gone(work)
    assert found.rows == {"bronze/sales": 1, "quarantine/sales": 0, "silver/sales": 1}
    assert found.untraceable == 1, "of the row that the query leaves out nobody knows how old it is"


def test_filtered_rows_and_duplicates_grow_old_too(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop, steps='[{filter: "amount < 100"}, {deduplicate: {by: [id]}}]')
    shop.land("sales/a.csv", f"id,sold_at,amount\n1,{ago(40)},999\n2,{ago(40)},1\n2,{ago(1)},2\n3,{ago(1)},999\n")
    refine(at_once(work))
    assert gone(work).rows == {"bronze/sales": 2, "quarantine/sales": 0, "silver/sales": 0}
    rerun(work)
    assert shop.rows("silver/sales", "id", "amount") == [(2, 2)]


def test_partitions(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    table = sales(shop, "keys: [id]", backup="true", partitions="{type: dynamic}").table
    for name, row in (("a b", 1), ("c", 2)):
        shop.land(f"sales/{name}.csv", f"id,sold_at,amount\n{row},{ago(40)},1\n{row + 10},{ago(1)},1\n")
        refine(TableRun(table, shop.lake, name))
    left = shop.leftovers()
    assert gone(TableRun(table, shop.lake)).rows == {"bronze/sales": 2, "quarantine/sales": 0, "silver/sales": 2}
    assert shop.rows("silver/sales", "id", "_partition") == [(11, "a b"), (12, "c")]
    assert shop.rows("bronze/sales", "id", "_partition") == [("11", "a b"), ("12", "c")]
    assert shop.leftovers() == left


def test_backup_has_what_went_once(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop, backup="true")
    backup = Lake(f"{shop.lake.root}-backup")
    shop.land("sales/a.csv", f"id,sold_at,amount\n1,{ago(40)},10\n2,{ago(1)},20\n3,{ago(40)},-1\n")
    refine(at_once(work))
    wanted = {
        key: content(shop.lake.table(key).scan().filter(pl.col("id").cast(str).is_in(ids)).collect())
        for key, ids in (("bronze/sales", ["1", "3"]), ("quarantine/sales", ["3"]), ("silver/sales", ["1"]))
    }
    found = gone(work)
    assert found.backed_up == found.rows == {"bronze/sales": 2, "quarantine/sales": 1, "silver/sales": 1}
    for key, rows in wanted.items():
        copied = backup.table(key).scan().collect()
        assert content(copied, "_expired_at", "_expired_why", "_expired_run", "_deletion") == rows
        assert set(copied["_expired_why"]) == {found.why}
    assert gone(work).total == 0
    assert len(backup.table("silver/sales").scan().collect()) == 1


def test_a_column_that_has_another_type_by_now_is_backed_up_beside_what_it_was(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop, backup="true")
    shop.land("sales/a.csv", f"id,sold_at,amount\n1,{ago(40)},10\n")
    refine(at_once(work))
    gone(work)
    path = tmp_path / "assets_config" / "shop" / "sales.yaml"
    path.write_text(path.read_text().replace("amount: int64", "amount: 'decimal(12,2)'"))
    work = TableRun(shop.project.tables["sales"], shop.lake, now=TODAY)
    shop.land("sales/b.csv", f"id,sold_at,amount,till\n2,{ago(40)},2.50,x\n")
    rerun(at_once(work))
    assert gone(work).backed_up == {"bronze/sales": 1, "silver/sales": 1}
    copied = Lake(f"{shop.lake.root}-backup").table("silver/sales").scan().collect()
    assert sorted(copied.select("id", pl.col("amount").cast(str), "till").rows()) == [
        (1, "10.00", None),
        (2, "2.50", "x"),
    ]
    recover(work, Lake(f"{shop.lake.root}-backup"))
    assert shop.rows("silver/sales", "id", "till") == [(1, None), (2, "x")]


def test_a_mended_row_is_as_old_as_it_was_mended_to_be(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop)
    shop.land("sales/a.csv", f"id,sold_at,amount\n1,no date,10\n2,{ago(40)},-1\n3,{ago(40)},-1\n")
    refine(at_once(work))
    mend(work, {"1": {"sold_at": ago(40)}, "2": {"sold_at": ago(1), "amount": "5"}, "3": {"amount": "6"}})
    assert shop.rows("silver/sales", "id") == [1, 2, 3]
    assert gone(work).rows == {"bronze/sales": 2, "quarantine/sales": 2, "silver/sales": 2}
    rerun(at_once(work))
    assert shop.rows("silver/sales", "id") == [2]
    assert gone(work).total == 0


def test_the_job_and_its_schedule(shop: Workshop) -> None:
    sales(shop, backup="true")
    shop.table("other", 'source: {type: csv, path: "{landing}/other/*.csv"}')
    shop.land("sales/a.csv", f"id,sold_at,amount\n1,{ago(40)},10\n2,{ago(1)},20\n")
    assert shop.run("sales").success
    ran = shop.run_job("retention")
    assert ran.success
    assert ran.started == {"expire__sales"}
    seen = [
        event.asset_observation_data.asset_observation
        for event in ran.result.all_events
        if event.event_type_value == "ASSET_OBSERVATION"
    ]
    told = {one.asset_key.to_user_string(): one.metadata["expired_silver"].value for one in seen}
    assert told == {"bronze/sales": 1, "silver/sales": 1, "quarantine/sales": 1}
    assert shop.rows("silver/sales", "id") == [2]
    schedule = shop.definitions.resolve_schedule_def("retention_schedule")
    assert schedule.cron_schedule == "0 3 * * *"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def test_no_table_has_it_no_job(shop: Workshop) -> None:
    shop.table("other", 'source: {type: csv, path: "{landing}/other/*.csv"}')
    names = {job.name for job in shop.definitions.resolve_all_job_defs()}
    assert "retention" not in names


def test_a_column_that_is_no_date(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    work = sales(shop, steps='[{derive: {sold_at: "amount"}}]')
    shop.land("sales/a.csv", "id,sold_at,amount\n1,2020-01-01,10\n")
    refine(at_once(work))
    with pytest.raises(RuleError, match="retention wants sold_at to be a date or a datetime, got int64"):
        gone(work)


def test_rows_of_another_type_are_copied_beside_those_that_were(tmp_path: Path) -> None:
    """A column has become text since rows were last copied: the backup takes the new type on, and loses nothing."""
    shop = Workshop(tmp_path)
    shop.table(
        "sales",
        """
        source: {type: parquet, path: "{landing}/sales/*.parquet"}
        schema: evolve
        retention: {keep: 30d, by: sold_at, backup: true}
        """,
    )
    work = TableRun(shop.project.tables["sales"], shop.lake, now=TODAY)
    old = (TODAY - timedelta(days=40)).date()
    for name, amount in (("a", 10), ("b", "ten")):
        (shop.landing / "sales").mkdir(parents=True, exist_ok=True)
        frame = pl.DataFrame({"sold_at": [old, TODAY.date()], "amount": [amount, amount]})
        frame.write_parquet(shop.landing / "sales" / f"{name}.parquet")
        assert refine(work) is not None
        gone(work)
    kept = Lake(f"{shop.lake.root}-backup").table("silver/sales").scan().collect()
    assert kept["amount"].to_list().count("10") == kept["amount"].to_list().count("ten") == 1
    assert shop.rows("silver/sales", "amount") == ["10", "ten"]
