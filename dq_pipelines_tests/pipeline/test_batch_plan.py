"""How a batch is read: in one pass, or staged first. Neither Dagster nor a lake is needed to say so."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from dq_pipelines.pipeline.bronze.batch import Batch
from dq_pipelines.pipeline.silver.backlog import joint_id
from dq_pipelines.pipeline.silver.batch_plan import Strategy, strategy_of
from dq_pipelines.project.tables import Silver
from dq_pipelines.sources.csv import Csv

KEY = "silver/orders"
NONE = pl.LazyFrame()
SOURCE = Csv(type="csv", path="orders.csv")

PARENTS = {"type": "expect_column_values_to_exist_in", "column": "parent", "key": "id"}
BETWEEN = {"type": "expect_column_values_to_be_between", "column": "id", "min_value": 0}
UNIQUE = {"type": "expect_column_values_to_be_unique", "column": "id"}
ONE_PASS: list[dict[str, Any]] = [
    {},
    {"keys": ["id"]},
    {"write": "overwrite"},
    {"keys": ["id"], "merge": {"order_by": "at"}},
    {"transform": [{"rename": {"id": "number"}}]},
    {"transform": [{"derive": {"twice": "id * 2"}}]},
    {"rules": [BETWEEN, UNIQUE]},
    {"rules": [{**PARENTS, "table": "silver/customers"}]},
]
STAGED_FIRST: list[dict[str, Any]] = [
    # Bronze has the rows as well that a step leaves out.
    {"transform": [{"filter": "id > 0"}]},
    {"transform": [{"deduplicate": {"by": ["id"]}}]},
    {"transform": [{"sql": "SELECT * FROM self"}]},
    {"transform": [{"python": "module:function"}]},
    # These rules look at the rows beside the scan, and would read the inputs once more.
    {"rules": [{**PARENTS, "table": KEY}]},
    {"rules": [{"type": "expect_column_value_z_scores_to_be_less_than", "column": "id", "threshold": 3}]},
]


def batch(*, all_records: bool = True) -> Batch:
    return Batch("b-1", (), SOURCE, {}, NONE, NONE, all_records=all_records)


def silver(**model: Any) -> Silver:
    return Silver.model_validate(model)


@pytest.mark.parametrize("model", ONE_PASS, ids=str)
def test_inputs_are_read_once_where_each_row_is_judged_as_it_landed(model: dict[str, Any]) -> None:
    assert strategy_of(silver(**model), KEY, batch(), ()) is Strategy.ONE_PASS


@pytest.mark.parametrize("model", STAGED_FIRST, ids=str)
def test_inputs_are_staged_first_where_rows_are_left_out_or_looked_at_twice(model: dict[str, Any]) -> None:
    assert strategy_of(silver(**model), KEY, batch(), ()) is Strategy.STAGED_FIRST


def test_inputs_are_staged_first_where_batches_wait() -> None:
    assert strategy_of(silver(), KEY, batch(), ["b-0"]) is Strategy.STAGED_FIRST


def test_inputs_are_staged_first_where_bronze_cannot_hold_a_row_as_it_is() -> None:
    assert strategy_of(silver(), KEY, batch(all_records=False), ()) is Strategy.STAGED_FIRST


@pytest.mark.parametrize("model", [*ONE_PASS, *STAGED_FIRST], ids=str)
def test_waiting_batches_alone_are_read_from_bronze(model: dict[str, Any]) -> None:
    assert strategy_of(silver(**model), KEY, None, ["b-0"]) is Strategy.FROM_BRONZE


def test_batches_that_are_judged_together_have_an_id_of_their_own() -> None:
    assert joint_id(["b-1"]) == "b-1"
    assert joint_id(["b-1", "b-2"]) == joint_id(["b-2", "b-1"])
    assert joint_id(["b-1", "b-2"]).startswith("r-")
    assert joint_id(["b-1", "b-2"]) != joint_id(["b-1", "b-3"])
