"""Columns that change in the course of a table's life: blocked and mended, renamed, rebuilt, interrupted."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg
import polars as pl
import pytest

from dq_pipelines.history.queries.table_status import latest_status
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.refinement import refine
from dq_pipelines_tests.pipeline.test_schema import DAYS, FIRST, drift, land, orders
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

DECLARED = "columns: {id: int64, amount: float64}"


def csv(shop: Workshop, schema: str = "strict", silver: str = DECLARED, more: str = "") -> None:
    shop.table(
        "orders",
        f"""
        source: {{type: csv, path: "{{landing}}/orders/*.csv"}}
        schema: {schema}
        silver:
          {silver}
          {more}
        """,
    )


def published(shop: Workshop) -> list[tuple[object, ...]]:
    return shop.rows("silver/orders", *shop.lake.table("silver/orders").scan().collect_schema().names())


# --- strict: it waits, and passes once it is mended --------------------------------------------------------


@pytest.mark.parametrize("silver", ["columns: {id: int64}", DECLARED])
def test_a_missing_column_waits_however_often_it_is_looked_at_again(shop: Workshop, silver: str) -> None:
    csv(shop, silver=silver)
    shop.land("orders/a.csv", "id,amount\n1,10\n")
    assert shop.run("orders").success
    before = published(shop)
    shop.land("orders/b.csv", "id\n2\n")
    for _ in range(2):
        ran = shop.run("orders")
        assert "column 'amount' is missing (to publish it as null, write schema: add_columns" in ran.failures["orders"]
        assert drift(ran) == [("amount", "missing")]
        assert published(shop) == before
    # A good batch does not carry the bad one through.
    shop.land("orders/c.csv", "id,amount\n3,30\n")
    assert not shop.run("orders").success
    assert published(shop) == before
    shop.land("orders/b.csv", "id,amount\n2,20\n")
    ran = shop.run("orders")
    assert ran.success
    assert drift(ran) == []
    assert shop.rows("silver/orders", "id") == [1, 2, 3]


def test_a_new_column_that_was_mended_away_is_forgotten(shop: Workshop) -> None:
    csv(shop)
    shop.land("orders/a.csv", "id,amount\n1,10\n")
    assert shop.run("orders").success
    shop.land("orders/b.csv", "id,amount,colour\n2,20,red\n")
    assert not shop.run("orders").success
    assert not shop.run("orders").success
    shop.land("orders/b.csv", "id,amount\n2,20\n")
    ran = shop.run("orders")
    assert ran.success, ran.failures
    assert drift(ran) == []
    shop.land("orders/c.csv", "id,amount\n3,30\n")
    assert drift(shop.run("orders")) == []
    assert published(shop) == [(1, 10.0), (2, 20.0), (3, 30.0)]


def test_what_blocks_stands_in_the_history_and_holds_what_is_downstream(shop: Workshop) -> None:
    csv(shop)
    shop.table("daily", "gold: {sql: select sum(amount) as amount from silver.orders}")
    shop.land("orders/a.csv", "id,amount\n1,10\n")
    assert shop.run("orders", "daily").success
    shop.land("orders/b.csv", "id,amount,colour\n2,20,red\n")
    assert not shop.run("orders").success
    [stands] = [rule for rule in latest_status(shop.history, "silver/orders").rules if rule.one.check == "schema_drift"]  # type: ignore[union-attr]
    assert stands.blocks
    assert stands.one.observed_value == [
        {
            "column": "colour",
            "change": "new",
            "before": "absent",
            "after": "string",
            "done": "refused: to take it on, write schema: add_columns, or run with mode: rerun",
        }
    ]
    assert "blocked by schema_drift" in shop.run("daily").failures["daily"]


# --- a new name ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", ["strict", "add_columns"])
def test_a_renamed_column_is_found_by_its_name(shop: Workshop, schema: str) -> None:
    csv(shop, schema)
    shop.land("orders/a.csv", "id,amount\n1,10\n")
    assert shop.run("orders").success
    shop.land("orders/b.csv", "id,Amount EUR\n2,20\n")
    ran = shop.run("orders")
    assert drift(ran) == [("amount", "renamed to Amount EUR")]
    advice = "write amount: {type: float64, from: [Amount EUR, amount]} under silver.columns"
    assert advice in str(ran.checks["silver/orders:schema_drift"].description)
    assert ran.success == (schema != "strict")
    csv(shop, silver="columns: {id: int64, amount: {type: float64, from: [Amount EUR, amount]}}")
    # What was blocked is published; what was published with nulls is rebuilt: old and new batches have their values.
    assert shop.run("orders", mode=None if schema == "strict" else "rerun").success
    assert published(shop) == [(1, 10.0), (2, 20.0)]
    shop.land("orders/c.csv", "amount,id\n30,3\n")
    ran = shop.run("orders")
    assert drift(ran) == [("", "reordered")]
    assert shop.run("orders", mode="rerun").success
    assert published(shop) == [(1, 10.0), (2, 20.0), (3, 30.0)]


def test_a_renamed_column_is_found_by_its_values(shop: Workshop) -> None:
    csv(shop, "add_columns", "columns: {id: int64}")
    places = ["Rome", "Oslo", "Bern", "Kyiv", "Riga", "Bonn"]
    shop.land("orders/a.csv", "id,town\n" + "".join(f"{i},{name}\n" for i, name in enumerate(places)))
    assert shop.run("orders").success
    shop.land("orders/b.csv", "id,place,kind\n" + "".join(f"{i},{name},k{i}\n" for i, name in enumerate(places)))
    assert drift(shop.run("orders")) == [("town", "renamed to place"), ("kind", "new")]


# --- rules and gold see the new schema, within one process that goes on ----------------------------------------


def test_rules_and_gold_see_what_was_taken_on_without_a_restart(shop: Workshop) -> None:
    shop.table(
        "orders",
        """
        source: {type: parquet, path: "{landing}/orders/*.parquet"}
        schema: evolve
        silver:
          rules:
            - {type: expect_column_values_to_not_be_null, column: note, severity: warning}
            - {type: expect_column_value_lengths_to_be_between, column: id, max_value: 2, severity: warning}
        """,
    )
    shop.table("copied", "gold: {sql: select * from silver.orders}")
    job = shop.definitions.resolve_implicit_global_asset_job_def()

    def run() -> dg.ExecuteInProcessResult:
        return job.execute_in_process(instance=shop.instance, raise_on_error=False)

    land(shop, FIRST.select(pl.col("id").cast(pl.String), "note"))
    assert run().success
    land(shop, pl.DataFrame({"id": [345], "colour": ["red"]}), DAYS[1])
    result = run()
    assert result.success
    found = {check.check_name: check for check in result.get_asset_check_evaluations()}
    # `note` did not come: its nulls are judged. `id` came as a number and is judged as the text that it is published as.
    assert not found["note__not_null"].passed
    assert not found["id__value_lengths_between"].passed
    assert shop.rows("gold/copied", "id", "note", "colour") == [
        ("1", "a", None),
        ("2", "b", None),
        ("345", None, "red"),
    ]


# --- rerun --------------------------------------------------------------------------------------------------------


def test_a_rerun_rebuilds_and_says_what_it_changed(shop: Workshop) -> None:
    csv(shop)
    shop.land("orders/a.csv", "id,amount\n1,10\n")
    assert shop.run("orders").success
    csv(shop, silver="columns: {id: string, amount: float64}")
    ran = shop.run("orders", mode="rerun")
    assert ran.success
    assert drift(ran) == [("id", "retyped")]
    assert ran.checks["silver/orders:schema_drift"].severity is dg.AssetCheckSeverity.WARN
    assert published(shop) == [("1", 10.0)]
    assert drift(shop.run("orders", mode="rerun")) == []


def test_a_rerun_of_one_partition_fits_beside_the_others(shop: Workshop) -> None:
    parts = f"partitions: {{type: daily, start: {DAYS[0]}}}"
    orders(shop, None, partitions=parts)
    for day in DAYS:
        land(shop, FIRST, day)
        assert shop.run("orders", partition=day).success
    orders(shop, None, "columns: {id: string}", partitions=parts)
    ran = shop.run("orders", partition=DAYS[1], mode="rerun")
    assert ran.success, ran.failures
    assert drift(ran) == [("id", "retyped")]
    assert shop.rows("silver/orders", "_partition", "id") == [(day, name) for day in DAYS for name in ("1", "2")]
    assert shop.leftovers() == []


# --- interrupted ------------------------------------------------------------------------------------------------


class Stopped(Exception):
    """The run ends here."""


@dataclass
class StopAt:
    """Ends the run when it asks for the n-th time whether it may commit: bronze, quarantine, silver."""

    call: int
    calls: int = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == self.call:
            raise Stopped


@pytest.mark.parametrize("keys", ["", "keys: [id]"])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_run_that_ends_before_a_commit_leaves_the_old_table(shop: Workshop, call: int, keys: str) -> None:
    orders(shop, "evolve", keys)
    land(shop, FIRST)
    assert shop.run("orders").success
    batches = transactions(shop.lake.table("silver/orders"))
    schema = shop.lake.table("silver/orders").scan().collect_schema()
    land(shop, pl.DataFrame({"id": ["2", "x3"], "new": [1, 2]}), DAYS[1])
    table = shop.project.tables["orders"]
    with pytest.raises(Stopped):
        refine(TableRun(table, shop.lake, may_commit=StopAt(call)))
    assert shop.lake.table("silver/orders").scan().collect_schema() == schema
    assert shop.rows("silver/orders", "id") == [1, 2]
    assert shop.versions()["silver/orders"] == 0
    assert shop.leftovers() == []
    outcome = refine(TableRun(table, shop.lake))
    assert outcome is not None
    assert shop.versions()["silver/orders"] == 1
    assert shop.rows("silver/orders", "id") == (["1", "2", "x3"] if keys else ["1", "2", "2", "x3"])
    # The ledger goes with the table through the rewrite: nothing is consumed twice.
    assert batches.items() <= transactions(shop.lake.table("silver/orders")).items()
    assert refine(TableRun(table, shop.lake)) is None
    assert shop.leftovers() == []
