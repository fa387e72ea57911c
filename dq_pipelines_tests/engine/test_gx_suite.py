"""Rules written back as a GX suite: GX loads it, and says of data what it said by the suite that it saved itself."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import dq_pipelines as dq
from dq_pipelines.engine.gx.suite import gx_suite
from dq_pipelines.engine.validate import rules_from
from dq_pipelines.rules import rule_classes, rule_from

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import great_expectations as gx
    from great_expectations.expectations.metadata_types import FailureSeverity

#: What GX has no word for.
OURS = {
    "expect_column_values_to_be_determined_by",
    "expect_column_values_to_exist_in",
    "expect_multicolumn_values_to_be_unique",
    "expect_query_to_return_no_rows",
    "expect_rows_sql",
    "expect_table_to_be_fresh",
    "python",
}

FRAME = pd.DataFrame(
    {
        "id": [1, 2, 3, 4, 4],
        "amount": [1.0, -2.0, None, 40.0, 5.0],
        "limit": [2.0, 1.0, 3.0, 50.0, 5.0],
        "state": ["new", "paid", "paid", None, "NEW"],
        "two words": [True, False, True, True, False],
    }
)

AMOUNT = {"type": "expect_column_values_to_be_between", "column": "amount", "min_value": 0}

RULES: list[dict[str, Any]] = [
    AMOUNT,
    {**AMOUNT, "max_value": 30, "strict_max": True, "mostly": 0.5, "severity": "warning"},
    {"type": "expect_column_values_to_not_be_null", "column": "state", "severity": "info"},
    {"type": "expect_column_values_to_be_in_set", "column": "state", "value_set": ["new", "paid"]},
    {"type": "expect_column_values_to_be_unique", "column": "id"},
    {"type": "expect_column_values_to_match_regex", "column": "state", "regex": "^[a-z]+$"},
    {"type": "expect_column_pair_values_a_to_be_greater_than_b", "column_A": "limit", "column_B": "amount"},
    {"type": "expect_compound_columns_to_be_unique", "column_list": ["id", "state"]},
    {"type": "expect_column_mean_to_be_between", "column": "amount", "min_value": 0, "max_value": 11},
    {"type": "expect_column_distinct_values_to_contain_set", "column": "state", "value_set": ["new", "sent"]},
    {"type": "expect_table_row_count_to_equal", "value": 5},
    {"type": "expect_table_columns_to_match_ordered_list", "column_list": list(FRAME.columns)},
]

CONDITIONS = [
    'col("id") > 2',
    "id > 2",
    "2 < id",
    "1 < id < 4",
    'id > 2 and state == "paid"',
    'id > 3 or (id < 2 and state == "new")',
    "(id > 3 or id < 2) and amount > 0",
    "not id > 2",
    '~(col("amount") > 2)',
    "amount < limit",
    "`two words`",
    'col("two words") == True',
    'col("state").notnull()',
    "state.isnull()",
    "state is None",
    "not state is None",
    'col("state").is_in(["new", "sent"])',
    'state not in ["new", "sent"]',
    "id == [1, 4]",
    'not col("id").is_in([1, 4])',
    "amount != 1",
]


def by_gx(suite: dict[str, Any], frame: pd.DataFrame = FRAME) -> list[dict[str, Any]]:
    """What GX says of the frame, expectation by expectation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
        batch = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
        loaded = context.suites.add(gx.ExpectationSuite(**json.loads(json.dumps(suite))))
        found = batch.get_batch({"dataframe": frame}).validate(loaded)
    assert not any(result.exception_info.get("raised_exception") for result in found.results)
    configs = [result.expectation_config for result in found.results]
    return [
        {
            "type": config.type,
            "success": result.success,
            "severity": FailureSeverity(config.severity).value,
            **{key: result.result.get(key) for key in ("element_count", "unexpected_count", "observed_value")},
        }
        for result, config in zip(found.results, configs, strict=True)
        if config is not None
    ]


def saved_by_gx(rules: list[dict[str, Any]]) -> dict[str, Any]:
    """The rules as a suite that GX saved."""
    expectations = [
        {
            "type": rule["type"],
            "kwargs": {key: value for key, value in rule.items() if key not in ("type", "severity")},
            "severity": rule.get("severity", "critical"),
        }
        for rule in rules
    ]
    saved: dict[str, Any] = gx.ExpectationSuite(name="orders", expectations=expectations).to_json_dict()
    return saved


def test_a_suite_comes_back_as_gx_saved_it(tmp_path: Path) -> None:
    saved = saved_by_gx(RULES)
    (tmp_path / "orders.json").write_text(json.dumps(saved), encoding="utf-8")
    verdict = dq.validate(FRAME, tmp_path / "orders.json")
    exported = verdict.to_gx_suite("orders")
    theirs, again = by_gx(saved), by_gx(exported)
    assert again == theirs
    assert {result["success"] for result in theirs} == {True, False}
    ours = [(result.rule.type, result.rule.severity, result.success) for result in verdict.results]
    assert sorted(ours) == sorted((result["type"], result["severity"], result["success"]) for result in theirs)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions_pick_the_same_rows_there(condition: str) -> None:
    rule = rule_from({**AMOUNT, "row_condition": condition})
    (ours,) = dq.validate(FRAME, [rule]).results
    assert ours.error is None
    (theirs,) = by_gx(gx_suite([rule]))
    assert (theirs["element_count"], theirs["unexpected_count"]) == (ours.element_count, ours.unexpected_count)


def test_a_pandas_condition_goes_back_word_by_word() -> None:
    rule = rule_from({**AMOUNT, "row_condition": "id>2", "condition_parser": "pandas"})
    (expectation,) = gx_suite([rule])["expectations"]
    assert expectation["kwargs"]["row_condition"] == {"type": "pass_through", "pass_through_filter": "id>2"}
    assert rule_from(expectation).row_condition == "id>2"


def test_every_rule_is_exported_or_told() -> None:
    for type_, cls in rule_classes().items():
        for example in cls.examples:
            suite = gx_suite([rule_from({"type": type_, **example.kwargs})])
            beyond = suite["meta"].get("dq_pipelines", {}).get("not_in_gx", [])
            assert len(suite["expectations"]) + len(beyond) == 1, type_
            if type_ in OURS:
                assert beyond[0]["why"] == f"Great Expectations has no '{type_}'"
            json.dumps(suite)
            gx.ExpectationSuite(**suite)
    exported = gx_suite(rule_from({"type": type_, **cls.examples[0].kwargs}) for type_, cls in rule_classes().items())
    told = {item["rule"]["type"]: item["why"] for item in exported["meta"]["dq_pipelines"]["not_in_gx"]}
    # GX wants `double_sided`, which is false here when it is not given.
    assert told.keys() - OURS == {"expect_column_value_z_scores_to_be_less_than"}
    assert told["expect_column_value_z_scores_to_be_less_than"].startswith(
        "Great Expectations refuses it: double_sided"
    )


def test_what_gx_lacks_can_be_judged_again_from_the_meta() -> None:
    rules = [
        {"type": "expect_rows_sql", "sql": "id > 1"},
        {"type": "expect_column_values_to_be_unique", "column": "id"},
    ]
    suite = dq.validate(FRAME, rules).to_gx_suite()
    (told,) = suite["meta"]["dq_pipelines"]["not_in_gx"]
    assert rules_from([told["rule"]]) == rules_from(rules[:1])
    assert suite["name"] == "dq_pipelines"


def test_what_gx_refuses_is_told_with_its_reason() -> None:
    rule = {"type": "expect_column_distinct_values_to_be_in_set", "column": "state", "value_set": []}
    (told,) = gx_suite(rules_from([rule]))["meta"]["dq_pipelines"]["not_in_gx"]
    assert told["why"].startswith("Great Expectations refuses it: ")
    assert "value_set" in told["why"]


def test_what_happens_on_failure_comes_back() -> None:
    given = {**AMOUNT, "on_failure": "drop", "meta": {"ticket": 7}, "description": "No debts.", "notes": "asked twice"}
    rule = rule_from(given)
    saved: Any = gx.ExpectationSuite(**gx_suite([rule])).to_json_dict()
    (expectation,) = saved["expectations"]
    assert rule_from(expectation).action == "drop"
    assert (expectation["meta"]["ticket"], expectation["description"]) == (7, "No debts.")
