"""Expectations of the user's own: GX judges by them, its rows are refused like any others, and it stays quiet."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import dq_pipelines as dq
from dq_pipelines.errors import ConfigError
from dq_pipelines.rules.core.gx import great_expectations
from dq_pipelines_tests.workshop import Workshop

HERE = "dq_pipelines_tests.engine.my_expectations"
EVEN = {"type": f"{HERE}:ExpectColumnValuesToBeEvenOfOurs", "column": "quantity"}
PAIR = {"type": f"{HERE}:ExpectColumnPairSumToBeSmallOfOurs", "column_A": "quantity", "column_B": "price"}
MEAN = {"type": f"{HERE}:ExpectQuantityToBeSmallOnAverage"}

FRAME = pl.DataFrame({"id": [1, 2, 3, 4, 5], "quantity": [2, 3, None, 8, 9], "price": [1, None, None, 5, 5]})


def by_gx(rule: dict[str, Any]) -> dict[str, Any]:
    """What GX itself says, by way of a data context and a batch."""
    great_expectations()
    import great_expectations as gx

    from dq_pipelines.rules.core.gx import expectation

    kwargs = {key: value for key, value in rule.items() if key != "type"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
        asset = context.data_sources.add_pandas("p").add_dataframe_asset("a")
        batch = asset.add_batch_definition_whole_dataframe("b").get_batch({"dataframe": FRAME.to_pandas()})
        found: dict[str, Any] = batch.validate(
            expectation(rule["type"], kwargs), result_format="COMPLETE"
        ).to_json_dict()
    assert found["exception_info"]["raised_exception"] is False, found["exception_info"]
    return found


@pytest.mark.parametrize(
    "rule",
    [
        EVEN,
        {**EVEN, "mostly": 0.5},
        {**EVEN, "mostly": 0.6},
        {**EVEN, "row_condition": {"type": "comparison", "column": {"name": "id"}, "operator": ">", "parameter": 2}},
        PAIR,
        {**PAIR, "ignore_row_if": "either_value_is_missing"},
        {**PAIR, "ignore_row_if": "neither"},
        MEAN,
        {**MEAN, "max_value": 5.5},
        {"type": "great_expectations.expectations:ExpectColumnValuesToNotBeNull", "column": "quantity"},
        {"type": "great_expectations.expectations:ExpectTableRowCountToEqual", "value": 5},
        {
            "type": "great_expectations.expectations:ExpectSelectColumnValuesToBeUniqueWithinRecord",
            "column_list": ["id", "quantity", "price"],
            "ignore_row_if": "any_value_is_missing",
        },
    ],
    ids=str,
)
def test_the_result_is_that_of_gx(rule: dict[str, Any]) -> None:
    verdict = dq.validate(FRAME, [rule], result_format="COMPLETE")
    (ours,) = verdict.to_json_dict()["results"]
    theirs = by_gx(rule)
    assert ours["meta"] == {"engine": "gx"}
    assert ours["success"] == theirs["success"]
    keys = ("element_count", "unexpected_count", "missing_count", "unexpected_index_list", "observed_value")
    found = {key: theirs["result"].get(key) for key in keys if theirs["result"].get(key) is not None}
    assert {key: ours["result"].get(key) for key in found} == found
    failing = theirs["result"].get("unexpected_index_list") or []
    assert verdict.refused.collect()["id"].to_list() == [index + 1 for index in failing]


def test_reasons_tell_the_type_and_other_rules_see_nothing_of_it() -> None:
    rules = [EVEN, {"type": "expect_column_values_to_be_unique", "column": "id"}, PAIR]
    verdict = dq.validate(FRAME, rules)
    assert [result.engine for result in verdict.results] == ["gx", "polars", "gx"]
    told = [[(r["rule"], r["value"]) for r in row] for row in verdict.refused.collect()["_reasons"].to_list()]
    assert told == [
        [(EVEN["type"], "3"), (PAIR["type"], "quantity=3, price=null")],
        [(PAIR["type"], "quantity=8, price=5")],
        [(EVEN["type"], "9"), (PAIR["type"], "quantity=9, price=5")],
    ]
    assert verdict.kept.collect().columns == FRAME.columns


def test_a_type_that_is_registered_is_known_by_its_name() -> None:
    by_place = dq.validate(FRAME, [EVEN]).results[0]
    by_name = dq.validate(FRAME, [{**EVEN, "type": "expect_column_values_to_be_even_of_ours"}]).results[0]
    assert (by_name.unexpected_count, by_name.engine) == (by_place.unexpected_count, "gx")
    (exported,) = dq.validate(FRAME, [EVEN]).to_gx_suite()["expectations"]
    assert (exported["type"], exported["kwargs"]) == ("expect_column_values_to_be_even_of_ours", {"column": "quantity"})


def test_an_exception_of_gx_is_the_results_error_and_blocks() -> None:
    frame = FRAME.with_columns(quantity=pl.lit(666))
    verdict = dq.validate(frame, [EVEN, {**MEAN, "column": "price"}])
    broken, sound = verdict.results
    assert broken.error is not None
    assert "no such number" in broken.error
    assert (broken.engine, broken.success, broken.blocks, sound.success) == ("gx", False, True, True)
    assert verdict.refused.collect().is_empty()
    (missing,) = dq.validate(FRAME, [{**EVEN, "column": "quantiy"}]).results
    assert missing.error is not None
    assert "no column 'quantiy' (nearest: quantity)" in missing.error


def test_pandas_and_duckdb_too() -> None:
    frame = pd.DataFrame({"quantity": [2, 3]}, index=["a", "b"])
    result = dq.validate(frame, [EVEN]).to_json_dict()["results"][0]
    assert result["result"]["partial_unexpected_index_list"] == ["b"]
    (result,) = dq.validate(FRAME, [EVEN], engine="duckdb").to_json_dict()["results"]
    assert (result["meta"]["engine"], result["result"]["unexpected_count"]) == ("gx", 2)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({**EVEN, "type": f"{EVEN['type']}s"}, f"(nearest: {EVEN['type'].partition(':')[2]})"),
        ({**EVEN, "colum": "x"}, "(nearest: column)"),
        ({"type": f"{HERE}:ColumnMapMetricProvider"}, "wanted a class of Great Expectations' Expectation"),
        ({"type": "no_such_module:Expect"}, "no module 'no_such_module'"),
        ({**MEAN, "on_failure": "quarantine"}, "wants a rule on rows"),
    ],
)
def test_what_is_wrong_is_said_when_the_rule_is_read(rule: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        dq.validate(FRAME, [rule])
    assert sentence in str(caught.value)


def test_gx_stays_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert not dq.validate(FRAME, [EVEN, MEAN, PAIR]).success
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_pipeline_refuses_the_rows_that_gx_refuses(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    table = """
        source: {type: csv, path: "{landing}/sales/*.csv"}
        silver:
          columns: {id: int64, quantity: int64}
          rules:
            - {type: EVEN, column: quantity}
            - {type: expect_column_values_to_be_unique, column: id}
    """
    shop.table("sales", table.replace("EVEN", EVEN["type"]))
    shop.land("sales/a.csv", "id,quantity\n1,2\n2,3\n3,\n4,8\n4,8\nx,10\n")
    shop.land("sales/b.csv", "id,quantity\n5,7\n6,6\n")
    with shop.instance:
        ran = shop.run("sales")
        assert ran.success
        silver = shop.lake.table("silver/sales").scan().collect()
        assert sorted(silver["id"].to_list()) == [1, 3, 6]
        quarantined = shop.lake.table("quarantine/sales").scan().collect().explode("_reasons").unnest("_reasons")
        refused = quarantined.filter(pl.col("rule") == EVEN["type"])
        assert sorted(zip(refused["id"], refused["value"], strict=True)) == [("2", "3"), ("5", "7")]
        assert sum(ran.unexpected().values()) >= 4
        # A table's expectation blocks the batch: nothing of it is published.
        shop.table("sales", table.replace("EVEN, column: quantity", MEAN["type"]))
        shop.land("sales/c.csv", "id,quantity\n7,100\n")
        ran = shop.run("sales")
        assert not ran.success
        assert 7 not in shop.lake.table("silver/sales").scan().collect()["id"].to_list()
