"""Two engines agree: whatever the rows, an engine says of every rule what Polars says of it."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dq_pipelines.engine.backends.registry import connect
from dq_pipelines.engine.judge import judge
from dq_pipelines.engine.results.samples import Samples
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.rules import rule_from
from dq_pipelines.rules.core.base import Rule
from dq_pipelines_tests.contracts.backends import NAMES, started

pytestmark = pytest.mark.slow

FLOATS = [0.0, -0.0, 1.0, 0.1, -2.5, 1e16, 1e-7, 1e300, math.inf, -math.inf, math.nan, 3.0]
TEXTS = [
    "", "a", "B", "ab", "Z", "ä", "é", "a ", " a", "ß", "日本", "\U0001f600", "10", "9", "a\n", "İ", "_", "-", "'", "\\", "%",
]  # fmt: skip
COLUMNS: dict[str, tuple[pl.DataType, st.SearchStrategy[Any]]] = {
    "i": (pl.Int64(), st.sampled_from([0, 1, 2, 3, -1, 10, 2**53, 2**53 + 1, -(2**62)])),
    "j": (pl.Int16(), st.integers(-3, 3)),
    "u": (pl.UInt8(), st.integers(0, 3)),
    "f": (pl.Float64(), st.sampled_from(FLOATS)),
    "g": (pl.Float32(), st.sampled_from([0.0, 1.5, 0.1, -0.1, math.nan, math.inf])),
    "n": (pl.Decimal(12, 2), st.decimals(-9, 9, places=2)),
    "s": (pl.String(), st.sampled_from(TEXTS)),
    "r": (pl.String(), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)),
    "b": (pl.Boolean(), st.booleans()),
    "d": (pl.Date(), st.dates(date(2023, 12, 30), date(2024, 3, 2))),
    "t": (pl.Datetime("us"), st.datetimes(datetime(2024, 1, 1), datetime(2024, 1, 3))),  # noqa: DTZ001 - no zone
    "h": (pl.Time(), st.times()),
}  # fmt: skip
NUMBERS, ORDERED = ["i", "j", "u", "f", "g", "n"], ["i", "j", "u", "f", "g", "n", "s", "r", "b", "d", "t"]
BOUNDS: dict[str, tuple[Any, Any]] = {
    "i": (0, 2**53), "j": (-1, 1.5), "u": (1, 2), "f": (-2.5, 1e16), "g": (0.1, 1.5), "n": (-1, 0.5), "s": ("A", "a"),
    "r": ("B", "é"), "b": (1, 1), "d": ("2024-01-01", "2024-02-29"), "t": ("2024-01-01T12:00:00", "2024-01-02"),
    "h": ("08:00", "20:00"),
}  # fmt: skip


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    height = draw(st.sampled_from([0, 1, 5, 20]))
    columns = {
        name: pl.Series(draw(st.lists(st.none() | values, min_size=height, max_size=height)), dtype=dtype)
        for name, (dtype, values) in COLUMNS.items()
    }
    return pl.DataFrame(columns)


def _rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, (low, high) in BOUNDS.items():
        for strict in ({}, {"strict_min": True, "strict_max": True}):
            bounds = {"min_value": low, "max_value": high, **strict}
            found.append({"type": "expect_column_values_to_be_between", "column": name, **bounds})
        found += [
            {"type": "expect_column_values_to_not_be_null", "column": name},
            {"type": "expect_column_values_to_be_unique", "column": name},
            {"type": "expect_column_values_to_be_in_set", "column": name, "value_set": [low, high, 1, 0.1, "a", ""]},
            {"type": "expect_column_values_to_not_be_in_set", "column": name, "value_set": [high, "ä", 0]},
            {"type": "expect_column_unique_value_count_to_be_between", "column": name, "max_value": 3},
            {"type": "expect_column_proportion_of_unique_values_to_be_between", "column": name, "max_value": 0.5},
            {"type": "expect_column_proportion_of_non_null_values_to_be_between", "column": name, "min_value": 0.5},
        ]
    for name in ORDERED:
        found += [
            {"type": "expect_column_min_to_be_between", "column": name},
            {"type": "expect_column_max_to_be_between", "column": name},
        ]
    for name in NUMBERS:
        found += [
            {"type": f"expect_column_{what}_to_be_between", "column": name, "min_value": 0}
            for what in ("sum", "mean", "median", "stdev")
        ]
        found.append({"type": "expect_column_value_z_scores_to_be_less_than", "column": name, "threshold": 1,
                      "double_sided": True})  # fmt: skip
    for name in ("s", "r"):
        found += [
            {"type": "expect_column_value_lengths_to_be_between", "column": name, "min_value": 1, "max_value": 1},
            {"type": "expect_column_values_to_match_regex", "column": name, "regex": r"^\w+$"},
            {"type": "expect_column_values_to_match_regex", "column": name, "regex": r"^\S.*$"},
            {"type": "expect_column_values_to_not_match_regex", "column": name, "regex": r"(?i)[a-k]"},
            {"type": "expect_column_values_to_match_like_pattern", "column": name, "like_pattern": "a%"},
            {"type": "expect_column_most_common_value_to_be_in_set", "column": name, "value_set": ["a"]},
        ]
    pairs = [("i", "j"), ("i", "f"), ("f", "g"), ("j", "n"), ("s", "r"), ("d", "t")]
    for a, b in pairs:
        found += [
            {"type": "expect_column_pair_values_a_to_be_greater_than_b", "column_A": a, "column_B": b},
            {"type": "expect_column_pair_values_to_be_equal", "column_A": a, "column_B": b},
        ]
    found += [
        {"type": "expect_compound_columns_to_be_unique", "column_list": ["j", "b"]},
        {"type": "expect_compound_columns_to_be_unique", "column_list": ["f", "s"], "ignore_row_if": "never"},
        {"type": "expect_select_column_values_to_be_unique_within_record", "column_list": ["i", "j"]},
        {"type": "expect_multicolumn_sum_to_equal", "column_list": ["j", "u"], "sum_total": 3},
        {"type": "expect_table_row_count_to_be_between", "min_value": 1, "max_value": 5},
        {"type": "expect_column_values_to_not_be_null", "column": "s", "row_condition": "i > 0 and s != 'a'"},
        {"type": "expect_column_values_to_be_between", "column": "f", "min_value": 0, "row_condition": "b == True"},
    ]
    return [{**rule, "on_failure": "warn"} for rule in found]


RULES = [rule_from(rule) for rule in _rules()]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float | Decimal) and isinstance(other, float | Decimal | int):
        if math.isfinite(one) and math.isfinite(other):
            return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
        return str(float(one)) == str(float(other))
    return bool(one == other) and (one is None) == (other is None)


def _told(result: RuleResult) -> tuple[Any, ...]:
    return (result.success, result.element_count, result.missing_count, result.unexpected_count, result.error)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=max(5, settings().max_examples // 20), suppress_health_check=list(HealthCheck))
@given(rows=frames(), rules=st.lists(st.sampled_from(RULES), min_size=10, max_size=15, unique_by=id))
def test_an_engine_says_what_polars_says(name: str, rows: pl.DataFrame, rules: list[Rule]) -> None:
    engine = started(name)
    there = judge(engine.scan(engine.open(rows.lazy()), rules), samples=Samples(most=0)).results
    here = judge(connect().scan(rows.lazy(), rules), samples=Samples(most=0)).results
    apart = [
        f"{one.rule.type} {one.rule.kwargs}: {_told(one)} {one.observed_value!r}, Polars says {_told(other)} "
        f"{other.observed_value!r}"
        for one, other in zip(there, here, strict=True)
        if one.engine == name and not (_told(one) == _told(other) and _same(one.observed_value, other.observed_value))
    ]
    assert not apart, "\n".join(apart)
