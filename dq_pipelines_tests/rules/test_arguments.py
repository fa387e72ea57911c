"""What a rule takes and what it refuses at load, each refusal in one sentence."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from dq_pipelines.engine.validate import validate
from dq_pipelines.errors import ConfigError
from dq_pipelines.rules import rule_classes, rule_from
from dq_pipelines.rules.core import clock

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("values_to_be_between", {"column": "x"}, "min_value and max_value cannot both be missing"),
    (
        "values_to_be_between",
        {"column": "x", "min_value": 3, "max_value": 1},
        "min_value (3) cannot be greater than max_value (1)",
    ),
    (
        "values_to_be_between",
        {"column": "x", "min_value": "2026-02-01", "max_value": "2026-01-01"},
        "min_value (2026-02-01) cannot be greater than max_value (2026-01-01)",
    ),
    (
        "values_to_be_between",
        {"column": "x", "min_value": 1, "max_value": "b"},
        "min_value (1) and max_value ('b') cannot be compared",
    ),
    ("values_to_be_between", {"column": "x", "min_value": [1]}, "wanted a number, a date or text, got"),
    ("values_to_be_between", {"column": "x", "min_value": True}, "wanted a number, a date or text, got"),
    ("values_to_be_between", {"column": "x", "min_value": ""}, "wanted a number, a date or text, got ''"),
    (
        "values_to_be_between",
        {"column": "x", "min_value": {"$PARAMETER": "low"}},
        "wanted a value, got {'$PARAMETER': 'low'}: parameters that are filled in at run time are not supported",
    ),
    ("values_to_be_between", {"column": "x", "min_valu": 1}, "unknown key 'min_valu' (nearest: min_value)"),
    ("values_to_be_between", {"min_value": 1}, "missing key 'column'"),
    ("values_to_be_between", {"column": "x", "min_value": 1, "mostly": 1.5}, "1.5"),
    ("value_lengths_to_be_between", {"column": "x"}, "min_value and max_value cannot both be missing"),
    ("mean_to_be_between", {"column": "x", "min_value": 1, "mostly": 0.9}, "unknown key 'mostly'"),
    ("mean_to_be_between", {"column": "x", "on_failure": "quarantine"}, "on_failure: quarantine wants a rule on rows"),
    ("values_to_be_in_set", {"column": "x", "value_set": "abc"}, "wanted a list of values, got 'abc'"),
    ("values_to_be_in_set", {"column": "x", "value_set": [[1]]}, "wanted single values, got"),
    ("values_to_match_regex", {"column": "x", "regex": "(a"}, "regex '(a' does not parse: missing ), unterminated"),
    ("values_to_match_regex_list", {"column": "x", "regex_list": []}, "at least 1 item"),
    ("values_to_be_of_type", {"column": "x", "type_": "int65"}, "unknown type 'int65' (nearest: int64)"),
    ("values_to_be_of_type", {"column": "x", "type_": "varchar(20)"}, "a type has no length here"),
    ("values_to_be_of_type", {"column": "x", "type_": "decimal(a)"}, "wanted a type such as decimal(12,2)"),
    (
        "pair_values_to_be_in_set",
        {"column_A": "x", "column_B": "y", "value_pairs_set": [[1, 2, 3]]},
        "wanted pairs of two values, got",
    ),
    (
        "values_to_match_like_pattern",
        {"column": "x", "like_pattern": "a!b", "escape": "!"},
        "LIKE pattern 'a!b': wanted %, _ or ! behind !",
    ),
    ("values_to_exist_in", {"column": "x", "table": "products", "key": "id"}, "wanted a table as <layer>/<table>"),
    ("values_to_not_be_null", {"column": ""}, "at least 1 character"),
]


@pytest.mark.parametrize(("name", "arguments", "sentence"), REFUSED)
def test_bad_arguments_are_refused_in_one_sentence(name: str, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rule_from({"type": f"expect_column_{name}", **arguments}, where="sales.yaml")
    (problem,) = caught.value.problems
    assert sentence in problem.message
    assert "\n" not in problem.message


@pytest.mark.parametrize(
    ("type_", "arguments", "sentence"),
    [
        ("expect_rows_sql", {"sql": "a > 1 AND"}, "SQL condition 'a > 1 AND' does not parse"),
        ("expect_rows_sql", {"sql": " "}, "wanted a SQL condition, got an empty one"),
        ("expect_rows_sql", {"sql": "SUM(a) > 1"}, "wants a condition on one row, got SUM(a)"),
        ("expect_rows_sql", {"sql": "a IN (SELECT b FROM c)"}, "wants a condition on one row, got a subquery"),
        ("expect_rows_sql", {"sql": "ROW_NUMBER() OVER (ORDER BY a) > 1"}, "wants a condition on one row"),
        ("expect_table_to_be_fresh", {"column": "x", "max_age": "2 days"}, "wanted an age such as 36h, 2d or 1d12h"),
        ("expect_table_row_count_to_be_between", {"min_value": 3, "max_value": 1}, "cannot be greater than"),
        ("expect_compound_columns_to_be_unique", {"column_list": ["a"]}, "at least 2 item"),
        ("expect_column_values_to_be_betwen", {"column": "x"}, "(nearest: expect_column_values_to_be_between)"),
    ],
)
def test_bad_rules_are_refused_in_one_sentence(type_: str, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rule_from({"type": type_, **arguments})
    (problem,) = caught.value.problems
    assert sentence in problem.message


@pytest.mark.parametrize(
    ("text", "success"),
    [
        ("now()", True),
        ("now() - timedelta(weeks=52*100)", False),
        ("datetime(2026, 5, 1) + timedelta(days=31)", True),
        ("datetime(2026, 5, 1)", False),
    ],
)
def test_a_bound_may_be_told_when_the_rule_is_judged(text: str, success: bool) -> None:
    rows = {"x": [datetime.fromisoformat("2026-05-31")]}
    rule = {"type": "expect_column_values_to_be_between", "column": "x", "max_value": {"$PARAMETER": text}}
    with clock.at(datetime.fromisoformat("2026-06-01T12:00Z")):
        assert validate(pl.DataFrame(rows), [rule]).success == success


@pytest.mark.parametrize("bound", [1, 1.5, "2026-01-01", "b", date(2026, 1, 1), datetime.fromisoformat("2026-01-01")])
def test_a_bound_is_a_number_a_date_or_text(bound: object) -> None:
    rule = rule_from({"type": "expect_column_values_to_be_between", "column": "x", "min_value": bound})
    assert rule.kwargs == {"column": "x", "min_value": bound}


def test_a_rule_as_gx_saves_it_is_the_same_as_a_flat_one() -> None:
    flat = rule_from({"type": "expect_column_max_to_be_between", "column": "x", "max_value": 3, "severity": "warning"})
    saved = {
        "type": "expect_column_max_to_be_between",
        "kwargs": {"column": "x", "max_value": 3, "batch_id": "p-a"},
        "severity": "warning",
        "meta": None,
        "id": None,
        "notes": None,
        "rendered_content": [{"name": "atomic.prescriptive.summary"}],
    }
    assert rule_from(saved) == flat
    assert rule_from({**{k: v for k, v in saved.items() if k != "type"}, "expectation_type": saved["type"]}) == flat


#: What GX says of every expectation, or takes at run time; `windows` and parameters are refused unless null.
COMMON = {"id", "meta", "notes", "description", "severity", "result_format", "catch_exceptions", "rendered_content"}
COMMON |= {"batch_id", "windows", "row_condition", "condition_parser"}


#: Ours alone, and an older name that GX registers no more.
NOT_IN_GX = {
    "expect_rows_sql",
    "expect_column_values_to_be_determined_by",
    "expect_column_values_to_exist_in",
    "expect_table_to_be_fresh",
    "expect_multicolumn_values_to_be_unique",
    "expect_query_to_return_no_rows",
    "python",
}


@pytest.mark.parametrize("name", [name for name in rule_classes() if name not in NOT_IN_GX])
def test_every_argument_of_gx_is_an_argument_here(name: str) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations.expectations  # noqa: F401
        from great_expectations.expectations.registry import get_expectation_impl

        theirs = set(get_expectation_impl(name).__fields__)
    ours = set(rule_classes()[name].model_fields)
    assert theirs - COMMON - {"library_metadata"} <= ours
