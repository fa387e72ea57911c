"""The contract of the vocabulary: every example that a rule carries comes out the same on every engine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from dq_pipelines.engine.backends.registry import connect
from dq_pipelines.engine.judge import Judgement, judge
from dq_pipelines.engine.results.samples import Samples
from dq_pipelines.rules import rule_classes, rule_from
from dq_pipelines.rules.core import clock
from dq_pipelines.rules.core.base import Example, Rule

#: When the examples are judged, and what `silver/other` holds.
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
OTHER = pl.LazyFrame({"id": [1, 2, None]})


def on_polars(rows: pl.DataFrame, rules: Sequence[Rule]) -> Judgement:
    return judge(connect().scan(rows.lazy(), rules, lookup=lambda _: OTHER), samples=Samples(most=None))


EXAMPLES = [
    pytest.param(name, example, id=f"{name}-{number}")
    for name, cls in rule_classes().items()
    for number, example in enumerate(cls.examples, start=1)
]


def rows_of(example: Example) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series(values, strict=False) for name, values in example.rows.items()})


def looks_at(name: str) -> str:
    return getattr(rule_classes()[name], "looks_at", "table")


def rule_of(name: str, example: Example, **more: Any) -> Rule:
    return rule_from({"type": name, **example.kwargs, **more})


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_comes_out_as_it_says(name: str, example: Example) -> None:
    with clock.at(NOON):
        (result,) = on_polars(rows_of(example), [rule_of(name, example)]).results
    assert result.error is None
    assert {key: getattr(result, key) for key in example.expect} == dict(example.expect)


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_every_row_is_kept_or_refused_and_a_kept_one_is_not_refused_again(name: str, example: Example) -> None:
    rows = rows_of(example)
    rules = [rule_of(name, example)]
    with clock.at(NOON):
        judgement = on_polars(rows, rules)
        kept, refused = pl.collect_all([judgement.scan.kept, judgement.scan.refused])
        again = on_polars(kept, rules)
    assert kept.height + refused.height == rows.height == judgement.rows
    assert refused.height == judgement.refused == (judgement.results[0].unexpected_count or 0)
    if looks_at(name) == "row":  # without its outliers, or a row before, a column has others
        assert again.refused == 0


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_the_order_of_rows_does_not_matter(name: str, example: Example) -> None:
    if looks_at(name) == "order":
        return
    rows, rule = rows_of(example), rule_of(name, example)
    with clock.at(NOON):
        (forth,) = on_polars(rows, [rule]).results
        (back,) = on_polars(rows.reverse(), [rule]).results
    assert (forth.success, forth.unexpected_count, forth.missing_count) == (
        back.success,
        back.unexpected_count,
        back.missing_count,
    )
    assert forth.observed_value == back.observed_value


@pytest.mark.parametrize("cls", rule_classes().values(), ids=list(rule_classes()))
def test_a_rule_shows_what_it_is(cls: type[Rule]) -> None:
    sentence = (cls.__doc__ or "").split("\n\n")[0].strip()
    assert sentence.endswith("."), "the first sentence of the docstring is the rule's entry in the reference"
    assert "\n" not in sentence
    assert len(cls.examples) >= 2, "one example that passes and one that fails, at the least"


@pytest.mark.parametrize(("name", "cls"), rule_classes().items())
def test_a_rule_shows_a_failure_and_a_success(name: str, cls: type[Rule]) -> None:
    with clock.at(NOON):
        outcomes = {on_polars(rows_of(one), [rule_of(name, one)]).results[0].success for one in cls.examples}
    assert outcomes == {True, False}


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_empty_table_breaks_no_row_rule(name: str, example: Example) -> None:
    rows = rows_of(example).clear()
    with clock.at(NOON):
        (result,) = on_polars(rows, [rule_of(name, example)]).results
    assert result.error is None
    assert result.unexpected_count in (0, None)
    if result.unexpected_count == 0:
        assert result.success


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_a_column_that_is_not_there_is_said_with_the_nearest(name: str, example: Example) -> None:
    rule = rule_of(name, example)
    if not rule.columns_judged or name == "expect_column_to_exist":
        return
    rows = rows_of(example).rename({column: f"{column}_1" for column in rule.columns_judged})
    with clock.at(NOON):
        (result,) = on_polars(rows, [rule]).results
    assert result.error is not None
    assert not result.success
    assert f"no column '{rule.columns_judged[0]}'" in result.error


@pytest.mark.parametrize(
    ("type_", "arguments", "sentence"),
    [
        ("expect_rows_sql", {"sql": "n > 'a'"}, "cannot compare string with numeric type"),
        ("expect_rows_sql", {"sql": "n + 1"}, "wanted a condition that is true or false, got one that is Int64"),
        ("expect_column_sum_to_be_between", {"column": "x"}, "column 'x' is String: wanted numbers"),
        ("expect_column_values_to_be_between", {"column": "x", "min_value": 1}, "cannot be compared with 1"),
        ("expect_column_values_to_match_regex", {"column": "t", "regex": "a"}, "column 't' is Datetime"),
        ("expect_column_pair_values_to_be_equal", {"column_A": "x", "column_B": "n"}, "give them one type"),
        ("expect_table_to_be_fresh", {"column": "x", "max_age": "1d"}, "wanted a date or datetime column"),
    ],
)
def test_a_rule_that_does_not_fit_the_types_stops_no_other(
    type_: str, arguments: dict[str, Any], sentence: str
) -> None:
    rows = pl.DataFrame({"x": ["a", "b"], "n": [1, 2], "t": [NOON, NOON]})
    unfit = rule_from({"type": type_, **arguments})
    fit = rule_from({"type": "expect_column_values_to_not_be_null", "column": "x"})
    first, second = on_polars(rows, [unfit, fit]).results
    assert sentence in str(first.error)
    assert "\n" not in str(first.error)
    assert not first.success
    assert second.success


def test_rows_of_a_repeated_key_with_nan_in_it_are_refused() -> None:
    nan = float("nan")
    rows = pl.DataFrame({"a": [1, 1, 2, 2], "f": [nan, None, 1.0, nan]}, strict=False)
    judgement = on_polars(
        rows, [rule_from({"type": "expect_compound_columns_to_be_unique", "column_list": ["a", "f"]})]
    )
    assert judgement.results[0].unexpected_count == judgement.refused == 2
