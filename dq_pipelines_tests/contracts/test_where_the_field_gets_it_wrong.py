"""What other tools were seen to get wrong on the same data, and the edges on which engines part: each held by name.

Great Expectations' meaning is the reference, on every engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest

from dq_pipelines.engine.results.verdict import RuleResult, Verdict
from dq_pipelines.engine.validate import validate
from dq_pipelines.errors import ConfigError
from dq_pipelines_tests.contracts.backends import NAMES, SERVERS, started

pytestmark = pytest.mark.slow

NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture(params=("polars", *NAMES))
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass(frozen=True)
class Case:
    """One column's values, a rule on it, and what must be found."""

    values: list[Any]
    rule: Mapping[str, Any]
    unexpected: int = 0
    missing: int = 0


def of(expectation: str, **arguments: Any) -> dict[str, Any]:
    return {"type": f"expect_column_{expectation}", "column": "x", **arguments}


LOWER = "^[a-z ]+$"
CASES = {
    "nulls do not fail a regex": Case(["ab", None, None], of("values_to_match_regex", regex="^a"), missing=2),
    "nulls do not fail the absence of a regex": Case(["ab", None], of("values_to_not_match_regex", regex="z"), missing=1),
    "nulls do not fail a set": Case(["a", None], of("values_to_be_in_set", value_set=["a"]), missing=1),
    "nulls do not fail the absence from a set": Case(["a", None], of("values_to_not_be_in_set", value_set=["b"]), missing=1),
    "nulls do not fail bounds": Case([1, None], of("values_to_be_between", min_value=1), missing=1),
    "nulls do not fail a length": Case(["ab", None], of("value_lengths_to_equal", value=2), missing=1),
    "nulls are no repeated key": Case([1, None, None], of("values_to_be_unique"), missing=2),
    "lengths are characters, not bytes": Case(["é", "日本", "ab"], of("value_lengths_to_be_between", max_value=2)),
    "an emoji is one character": Case(["\U0001f600"], of("value_lengths_to_equal", value=1)),
    "a combining mark is a character of its own": Case(["e\u0301"], of("value_lengths_to_equal", value=1), unexpected=1),
    "a final newline passes the dollar as in Python": Case(["ok\n", "ok"], of("values_to_match_regex", regex=LOWER)),
    "two final newlines do not": Case(["ok\n\n"], of("values_to_match_regex", regex=LOWER), unexpected=1),
    "the end of the string lets no newline pass": Case(["ok\n"], of("values_to_match_regex", regex=r"^ok\Z"), unexpected=1),
    "digits are those of all scripts": Case(["٣", "3"], of("values_to_match_regex", regex=r"^\d$")),
    "look-ahead means what it does in Python": Case(["a1", "ab"], of("values_to_match_regex", regex=r"^(?=.*\d)a"), unexpected=1),
    "look-behind means what it does in Python": Case(["ab", "cb"], of("values_to_match_regex", regex="(?<!a)b"), unexpected=1),
    "a back-reference means what it does in Python": Case(["abab", "abba"], of("values_to_match_regex", regex=r"^(..)\1$"), unexpected=1),
    "look-ahead may be unwanted, too": Case(["a1", "ab"], of("values_to_not_match_regex", regex=r"(?=.*\d)a"), unexpected=1),
    "NaN is passed over by bounds": Case([1.0, NAN], of("values_to_be_between", max_value=2), missing=1),
    "NaN fails not-null": Case([1.0, NAN], of("values_to_not_be_null"), unexpected=1),
    "NaN is null": Case([NAN, None], of("values_to_be_null")),
    "infinity is a value, and beyond every bound": Case([float("inf")], of("values_to_be_between", max_value=9), unexpected=1),
    "text of digits is not the number": Case([1, 2], of("values_to_be_in_set", value_set=["1", 2]), unexpected=1),
}  # fmt: skip


def judged(engine: str, data: pl.DataFrame, *rules: Mapping[str, Any]) -> Verdict:
    if engine in SERVERS:
        started(engine)
    return validate(data, list(rules), engine=SERVERS[engine]() if engine in SERVERS else engine)


def result_of(verdict: Verdict) -> RuleResult:
    (result,) = verdict.results
    assert result.error is None
    return result


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_it_is_told_right_that(case: Case, engine: str) -> None:
    data = pl.DataFrame({"x": pl.Series(case.values, strict=False)})
    result = result_of(judged(engine, data, case.rule))
    assert (result.unexpected_count, result.missing_count) == (case.unexpected, case.missing)
    assert result.success == (case.unexpected == 0)


#: An estimate errs at a hundred thousand keys as at a million, for which the suite's Spark is set too slow.
ROWS = {"spark": 50_000}


def test_distinct_values_of_a_clean_key_of_many_rows_are_counted_and_not_estimated(engine: str) -> None:
    many = ROWS.get(engine, 1_000_000)
    keys = pl.DataFrame({"x": pl.int_range(many, eager=True)})
    exactly = {"min_value": many, "max_value": many}
    rules = (
        of("unique_value_count_to_be_between", **exactly),
        of("proportion_of_unique_values_to_be_between", min_value=1),
        of("values_to_be_unique"),
    )
    verdict = judged(engine, keys, *rules)
    assert [result.error for result in verdict.results] == [None] * 3
    assert verdict.success
    assert verdict.results[0].observed_value == many


def test_one_repeated_key_of_many_is_found(engine: str) -> None:
    many = ROWS.get(engine, 1_000_000)
    keys = pl.DataFrame({"x": pl.int_range(many, eager=True).replace(many - 1, 0)})
    unique = judged(engine, keys, of("values_to_be_unique"))
    assert result_of(unique).unexpected_count == 2
    counted = judged(engine, keys, of("unique_value_count_to_be_between", min_value=many))
    assert result_of(counted).observed_value == many - 1
    assert not counted.success


TABLE_RULES: list[tuple[dict[str, Any], Any]] = [
    ({"type": "expect_table_row_count_to_equal", "value": 4}, 4),
    (of("sum_to_be_between", min_value=105, max_value=105), 105),
    (of("max_to_be_between", min_value=100), 100),
    (of("unique_value_count_to_be_between", min_value=4), 4),
    (of("proportion_of_non_null_values_to_be_between", max_value=1), 1),
]


@pytest.mark.parametrize(("rule", "observed"), TABLE_RULES)
def test_a_rule_on_the_table_judges_all_rows_those_that_are_refused_among_them(
    rule: dict[str, Any], observed: Any, engine: str
) -> None:
    data = pl.DataFrame({"x": [0, 2, 100, 3]})
    refusing = of("values_to_be_between", max_value=10)
    verdict = judged(engine, data, refusing, rule)
    assert verdict.results[0].unexpected_count == 1
    assert verdict.refused.collect().height == 1
    assert verdict.results[1].success
    assert verdict.results[1].observed_value == observed


UNKNOWN = [
    (of("values_to_be_between", min_value=1, max_valu=3), "unknown key 'max_valu' (nearest: max_value)"),
    (of("values_to_be_in_set", values=["a"]), "value_set"),
    (of("values_to_match_regex", regexp="a"), "unknown key 'regexp' (nearest: regex)"),
    (of("values_to_not_be_null", mostl=0.9), "unknown key 'mostl' (nearest: mostly)"),
    (
        {"type": "expect_column_values_to_be_betwen", "column": "x"},
        "unknown type 'expect_column_values_to_be_betwen' (nearest: expect_column_values_to_be_between)",
    ),
]


@pytest.mark.parametrize(("rule", "sentence"), UNKNOWN)
def test_an_unknown_argument_is_refused_with_the_nearest_one(rule: dict[str, Any], sentence: str, engine: str) -> None:
    with pytest.raises(ConfigError) as caught:
        judged(engine, pl.DataFrame({"x": [1]}), rule)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("values", "median"), [([-INFINITY, 0.0], -INFINITY), ([-INFINITY, INFINITY], None), ([1.0, 2.0, 4.0, 9.0], 3.0)]
)
def test_a_median_between_infinity_and_a_number_is_infinite(values: list[float], median: float | None) -> None:
    result = result_of(judged("polars", pl.DataFrame({"x": values}), of("median_to_be_between")))
    assert result.observed_value == median
