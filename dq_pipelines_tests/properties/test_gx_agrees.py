"""Great Expectations itself, on its pandas engine, is the oracle: the same rule on the same data, the same result.

Compared are success, element_count, missing_count, unexpected_count, unexpected_percent and observed_value.
Where GX 1.24 is erratic, the cases are not generated here, and this is the list of them with the reason:

- Bounds that are text for a date column: GX makes `date`s of them, which compare with no pandas Timestamp. A bound
  for a datetime column is given as a datetime. Text as a bound for text is refused by GX's model; ours orders it.
- `expect_column_values_to_be_in_set` with dates written as text: never equal to a date in pandas 3, though
  `…_not_be_in_set` parses them. Ours reads them as dates in both.
- Decimals: with a null among them, sum, mean and stdev raise; `isin` finds no `Decimal("1.10")` by 1.1.
- Integers with nulls: pandas turns them into floats, so that their text is `1.0`; ours stay integers.
- Text of floats (for regexes and lengths): Python writes `1e+16`, where Polars writes `1e16`.
- Regexes: pandas 3 runs some by Arrow's RE2 and some by Python's `re`, depending on the pattern, on pandas' version and
  on whether pyarrow is there (`(?i)İ` differs); Python's `re` is the meaning here. See the law on regexes.
- `min_value` above `max_value`: refused when the data are judged (`values_to_be_between`), at load (row counts), or
  never (all others, which then always fail). Ours are refused at load.
- `expect_column_to_exist` with `column_index: 0`: the 0 is taken for "not given". Ours looks.
- Pairs of two types that have no order or no equality: an exception, or all rows fail. Ours say so in one sentence.
- `be_of_type`: on pandas' own dtypes one answer for the column, on objects one per value. Ours always the first, with
  more names for a type; the observed value is our name.
- Min, max, mean and median of datetimes without values: NaT, which is no null to GX, and passes where there are no
  bounds. Ours is null, and fails as all other columns without values do.
- Pairs in a set, where no row is left to judge: an exception over pandas' empty sum.
- LIKE patterns and queries: not on pandas. `expect_column_values_to_match_json_schema`: text that is no JSON raises; ours
  fails the row. An empty `value_set` is refused for distinct values; ours takes it. KL divergence without a partition.
- Unique value counts and uniqueness of floats see 0.0 and -0.0 as one value, as ours do; NaN is missing in both.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dq_pipelines.engine.validate import validate

Kwargs = dict[str, Any]
Oracle = Callable[["Frame", str, Kwargs], dict[str, Any]]

#: Column name to its type in pandas and in Polars.
TYPES: dict[str, tuple[str, Any]] = {
    "i": ("int64", pl.Int64),
    "j": ("int64", pl.Int64),
    "f": ("float64", pl.Float64),
    "g": ("float64", pl.Float64),
    "s": ("str", pl.String),
    "u": ("str", pl.String),
    "b": ("bool", pl.Boolean),
    "d": ("object", pl.Date),
    "t": ("datetime64[us]", pl.Datetime("us")),
    "v": ("str", pl.String),
    "w": ("str", pl.String),
    "two words": ("int64", pl.Int64),
}

# Quarters: sums and means of them are exact, so that a bound is met or missed in both worlds alike.
QUARTERS = st.integers(-40, 40).map(lambda number: number / 4)
FLOATS = st.one_of(st.none(), QUARTERS, st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0]))
TEXTS = st.one_of(st.none(), st.text("aAbé日\n 1٣", max_size=4), st.sampled_from(["", "ok\n", "abc", "A1"]))
DATES = st.dates(date(2026, 1, 1), date(2026, 1, 9))
JSONS = ["1", "-2.5", "true", "null", '"a"', "[1, 2]", "{}", '{"a": 1}', '{"a": "1"}', "NaN"]
DATES_AS_TEXT = ["2026-01-31", "2026-31-01", "31/01/26", "1 Jan 2026", "12:30", "20260131", "tomorrow", "{", "00-00"]
MOMENTS = st.integers(0, 20).map(lambda hours: datetime.fromisoformat("2026-01-01") + timedelta(hours=hours))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(-5, 5),
    "j": st.integers(-5, 5),
    "f": FLOATS,
    "g": FLOATS,
    "s": TEXTS,
    "u": TEXTS,
    "b": st.booleans(),
    "d": st.one_of(st.none(), DATES),
    "t": st.one_of(st.none(), MOMENTS),
    "v": st.one_of(st.none(), st.sampled_from(JSONS)),
    "w": st.one_of(TEXTS, st.sampled_from([*JSONS, *DATES_AS_TEXT])),
    "two words": st.integers(-5, 5),
}
BOUNDS: dict[str, st.SearchStrategy[Any]] = {
    "i": st.one_of(st.integers(-6, 6), QUARTERS),
    "f": st.one_of(st.integers(-6, 6), QUARTERS),
    "b": st.sampled_from([0, 0.5, 1]),
    "d": DATES,
    "t": MOMENTS,
}


@dataclass(frozen=True)
class Frame:
    """The same rows for both worlds."""

    columns: Mapping[str, list[Any]]

    def polars(self) -> pl.DataFrame:
        return pl.DataFrame({name: pl.Series(values, dtype=TYPES[name][1]) for name, values in self.columns.items()})

    def pandas(self) -> Any:
        import pandas as pd

        return pd.DataFrame({name: pd.Series(values, dtype=TYPES[name][0]) for name, values in self.columns.items()})


def frames() -> st.SearchStrategy[Frame]:
    def of(size: int) -> st.SearchStrategy[Frame]:
        columns = {name: st.lists(values, min_size=size, max_size=size) for name, values in VALUES.items()}
        return st.fixed_dictionaries(columns).map(Frame)

    return st.one_of(st.just(0), st.integers(1, 12)).flatmap(of)


def bounds(values: st.SearchStrategy[Any], *, needed: bool = False) -> st.SearchStrategy[Kwargs]:
    low = st.fixed_dictionaries({"min_value": values}, optional={"strict_min": st.booleans()})
    high = st.fixed_dictionaries({"max_value": values}, optional={"strict_max": st.booleans()})
    both = (
        st.tuples(low, high)
        .map(lambda pair: {**pair[0], **pair[1]})
        .filter(lambda kw: kw["min_value"] <= kw["max_value"])
    )
    return st.one_of(low, high, both) if needed else st.one_of(st.just({}), low, high, both)


def call(name: str, *parts: Any, **fixed: Any) -> st.SearchStrategy[tuple[str, Kwargs]]:
    """The expectation with arguments drawn from `parts`, each a strategy of keyword arguments."""
    return st.tuples(*parts).map(lambda drawn: (name, {**fixed, **{k: v for part in drawn for k, v in part.items()}}))


def of(key: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Kwargs]:
    return st.fixed_dictionaries({key: values})


CONDITIONS = st.sampled_from(
    [
        "i > 0", "i != 0", "0 < i", "f > 0", "f != 1", "not (f > 1)", "i > 0 and f < 2", "i > 0 | s == 'ok'", "s == 'abc'",
        "s != 'abc'", "i in [1, 2]", "s not in ['ok', 'abc']", "i == [1, 2]", "`two words` >= 1", "i > j", "f.isnull()",
        "s.notnull()", "-1 < i <= 3", "b", "not b", "~b", "i == 99",
    ]
)  # fmt: skip
ABOUT: st.SearchStrategy[Kwargs] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"row_condition": CONDITIONS, "condition_parser": st.just("pandas")}),
    st.just({"row_condition": 'col("i") > 0', "condition_parser": "great_expectations"}),
    st.just({"row_condition": 'col("s").notnull()', "condition_parser": "great_expectations"}),
)
MOSTLY: st.SearchStrategy[Kwargs] = st.one_of(st.just({}), of("mostly", st.sampled_from([0, 0.25, 0.5, 2 / 3, 0.9, 1])))
ANY = st.sampled_from(list(TYPES))
TEXT = st.sampled_from(["s", "u"])
SETS = {
    "i": st.lists(st.one_of(st.integers(-5, 5), QUARTERS, st.sampled_from(["1", "a"])), max_size=6),
    "f": st.lists(st.one_of(QUARTERS, st.none(), st.integers(-3, 3)), max_size=6),
    "s": st.lists(st.one_of(TEXTS, st.integers(0, 2)), max_size=6),
    "d": st.lists(DATES, max_size=4),
    "t": st.lists(MOMENTS, max_size=4),
}
PATTERNS = st.sampled_from(
    ["^[a-z ]+$", "a", r"\d", "^$", r"^\w{2}$", r"(.)\1", "(?=a)", "é|日", r"\s", "^(?!a)", "A$"]
)
PAIRS = st.sampled_from([("i", "j"), ("f", "g"), ("i", "f"), ("s", "u")]).map(
    lambda pair: {"column_A": pair[0], "column_B": pair[1]}
)
SMALL = st.one_of(st.none(), st.integers(-2, 2), QUARTERS, st.sampled_from(["", "abc", "1"]))
PAIRS_OF_VALUES = st.lists(st.tuples(SMALL, SMALL).map(list), max_size=12)
ALIKE = st.sampled_from([["i", "j"], ["i", "j", "two words"], ["f", "g"], ["i", "f"], ["s", "u"], ["i", "s"]])
STRICTLY: st.SearchStrategy[Kwargs] = st.one_of(st.just({}), of("strictly", st.one_of(st.none(), st.booleans())))
SCHEMAS = [{}, {"type": "integer"}, {"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"maximum": 1}]
WHOLE_SETS = {
    "i": st.lists(st.one_of(st.integers(-5, 5), QUARTERS, st.sampled_from(["1", "a"])), min_size=1, max_size=8),
    "f": st.lists(st.one_of(QUARTERS, st.integers(-3, 3)), min_size=1, max_size=8),
    "s": st.lists(TEXTS.filter(lambda text: text is not None), min_size=1, max_size=6),
    "d": st.lists(DATES, min_size=1, max_size=4),
    "t": st.lists(MOMENTS, min_size=1, max_size=4),
    "b": st.lists(st.booleans(), min_size=1, max_size=2),
}
RANGES = st.tuples(st.one_of(st.none(), QUARTERS), st.one_of(st.none(), QUARTERS)).map(list)
QUANTILES = st.lists(st.tuples(st.sampled_from([0, 0.25, 0.3, 0.5, 0.9, 1]), RANGES), min_size=1, max_size=3).map(
    lambda drawn: {"quantiles": [share for share, _ in drawn], "value_ranges": [ends for _, ends in drawn]}
)
BINS = [
    {"bins": [-5, 0, 5], "weights": [0.5, 0.5]},
    {"bins": [-3, 0, 1, 4], "weights": [0.25, 0, 0.5], "tail_weights": [0.125, 0.125]},
    {"bins": [-math.inf, 0, 3], "weights": [0.5, 0.5]},
    {"bins": [-math.inf, 0, 1, math.inf], "weights": [0.5, 0.25, 0.25]},
]
SHARES = [
    {"values": [0, 1, 2], "weights": [0.5, 0.25, 0.25]},
    {"values": list(range(-5, 6)), "weights": [0.5] + [0.05] * 10},
]
ONE_OF_PAIR: st.SearchStrategy[Kwargs] = st.one_of(
    st.just({}), of("ignore_row_if", st.sampled_from(["both_values_are_missing", "either_value_is_missing", "neither"]))
)
ONE_OF_MANY: st.SearchStrategy[Kwargs] = st.one_of(
    st.just({}), of("ignore_row_if", st.sampled_from(["all_values_are_missing", "any_value_is_missing", "never"]))
)
KEYS = st.lists(st.sampled_from(["i", "f", "s", "d"]), min_size=2, max_size=3, unique=True)
LENGTHS = bounds(st.integers(0, 4), needed=True)
NAMES = st.lists(st.sampled_from([*TYPES, "x"]), max_size=10, unique=True)

RULES: st.SearchStrategy[tuple[str, Kwargs]] = st.one_of(
    call("expect_column_values_to_not_be_null", of("column", ANY), MOSTLY, ABOUT),
    call("expect_column_values_to_be_null", of("column", ANY), MOSTLY, ABOUT),
    call("expect_column_values_to_be_unique", of("column", ANY), MOSTLY, ABOUT),
    call("expect_compound_columns_to_be_unique", of("column_list", KEYS), ONE_OF_MANY, MOSTLY, ABOUT),
    *(
        call("expect_column_values_to_be_between", bounds(each, needed=True), MOSTLY, ABOUT, column=column)
        for column, each in BOUNDS.items()
    ),
    *(
        call(f"expect_column_values_to_{verb}_in_set", of("value_set", each), MOSTLY, ABOUT, column=column)
        for column, each in SETS.items()
        for verb in ("be", "not_be")
    ),
    *(
        call(f"expect_column_values_to_{verb}_regex", of("column", TEXT), of("regex", PATTERNS), MOSTLY, ABOUT)
        for verb in ("match", "not_match")
    ),
    call(
        "expect_column_values_to_match_regex_list",
        of("column", TEXT),
        of("regex_list", st.lists(PATTERNS, min_size=1, max_size=3)),
        st.one_of(st.just({}), of("match_on", st.sampled_from(["any", "all"]))),
        MOSTLY,
        ABOUT,
    ),
    call(
        "expect_column_values_to_not_match_regex_list",
        of("column", TEXT),
        of("regex_list", st.lists(PATTERNS, min_size=1, max_size=3)),
        MOSTLY,
        ABOUT,
    ),
    call("expect_column_value_lengths_to_be_between", of("column", st.sampled_from("suibd")), LENGTHS, MOSTLY, ABOUT),
    call(
        "expect_column_value_lengths_to_equal",
        of("column", st.sampled_from("suibd")),
        of("value", st.integers(0, 4)),
        MOSTLY,
    ),
    call(
        "expect_column_pair_values_a_to_be_greater_than_b",
        PAIRS,
        st.one_of(st.just({}), of("or_equal", st.booleans())),
        ONE_OF_PAIR,
        MOSTLY,
        ABOUT,
    ),
    call("expect_column_pair_values_to_be_equal", PAIRS, ONE_OF_PAIR, MOSTLY, ABOUT),
    *(
        call(f"expect_column_{what}_to_be_between", bounds(BOUNDS[column]), ABOUT, column=column)
        for what in ("min", "max", "mean", "median", "sum", "stdev")
        for column in "ifb"
    ),
    *(
        call(f"expect_column_{what}_to_be_between", bounds(MOMENTS), ABOUT, column="t")
        for what in ("min", "max", "mean", "median")
    ),
    *(call(f"expect_column_{what}_to_be_between", bounds(DATES), column="d") for what in ("min", "max")),
    call(
        "expect_column_pair_values_to_be_in_set",
        PAIRS,
        of("value_pairs_set", PAIRS_OF_VALUES),
        ONE_OF_PAIR,
        MOSTLY,
        ABOUT,
    ),
    call(
        "expect_multicolumn_sum_to_equal",
        of("column_list", st.sampled_from([["i", "j"], ["i", "f"], ["f", "g", "j"]])),
        of("sum_total", st.one_of(st.integers(-3, 3), QUARTERS)),
        ONE_OF_MANY,
        MOSTLY,
        ABOUT,
    ),
    call("expect_multicolumn_values_to_be_equal", of("column_list", ALIKE), ONE_OF_MANY, MOSTLY, ABOUT),
    call(
        "expect_select_column_values_to_be_unique_within_record", of("column_list", ALIKE), ONE_OF_MANY, MOSTLY, ABOUT
    ),
    *(
        call(f"expect_column_values_to_be_{way}", of("column", st.sampled_from("ift")), STRICTLY, MOSTLY, ABOUT)
        for way in ("increasing", "decreasing")
    ),
    call(
        "expect_column_value_z_scores_to_be_less_than",
        of("column", st.sampled_from("if")),
        of("threshold", st.sampled_from([0, 0.3, 1.3, 2.1, -0.7])),
        of("double_sided", st.booleans()),
        MOSTLY,
        ABOUT,
    ),
    call(
        "expect_column_values_to_not_be_outliers",
        of("column", st.sampled_from("if")),
        st.one_of(st.just({}), of("method", st.sampled_from(["iqr", "std"]))),
        st.one_of(st.just({}), of("multiplier", st.sampled_from([0, 0.3, 1.3]))),
        MOSTLY,
        ABOUT,
    ),
    call("expect_column_values_to_be_json_parseable", of("column", st.just("w")), MOSTLY, ABOUT),
    call("expect_column_values_to_be_dateutil_parseable", of("column", st.just("w")), MOSTLY, ABOUT),
    call(
        "expect_column_values_to_match_strftime_format",
        of("column", st.just("w")),
        of("strftime_format", st.sampled_from(["%Y-%m-%d", "%d/%m/%y", "%H:%M", "%Y%m%d"])),
        MOSTLY,
        ABOUT,
    ),
    call(
        "expect_column_values_to_match_json_schema",
        of("column", st.just("v")),
        of("json_schema", st.sampled_from(SCHEMAS)),
        MOSTLY,
        ABOUT,
    ),
    *(
        call(f"expect_column_distinct_values_to_{verb}_set", of("value_set", each), ABOUT, column=column)
        for verb in ("be_in", "contain", "equal")
        for column, each in WHOLE_SETS.items()
    ),
    *(
        call(
            "expect_column_most_common_value_to_be_in_set",
            of("value_set", WHOLE_SETS[column]),
            st.one_of(st.just({}), of("ties_okay", st.booleans())),
            ABOUT,
            column=column,
        )
        for column in "ifs"
    ),
    *(
        call(
            f"expect_column_proportion_of_{what}_values_to_be_between",
            of("column", ANY),
            bounds(st.sampled_from([0, 0.25, 0.5, 0.75, 1])),
            ABOUT,
        )
        for what in ("unique", "non_null")
    ),
    call(
        "expect_column_quantile_values_to_be_between",
        of("column", st.sampled_from("if")),
        of("quantile_ranges", QUANTILES),
        st.one_of(
            st.just({}),
            of("allow_relative_error", st.sampled_from([False, "linear", "lower", "higher", "midpoint", "nearest"])),
        ),
        ABOUT,
    ),
    call(
        "expect_column_kl_divergence_to_be_less_than",
        of("partition_object", st.sampled_from(BINS)),
        of("threshold", st.sampled_from([0.1, 0.5, 2])),
        st.one_of(st.just({}), of("internal_weight_holdout", st.just(0.1))),
        ABOUT,
        column="i",
    ),
    call(
        "expect_column_kl_divergence_to_be_less_than",
        of("partition_object", st.sampled_from(SHARES)),
        of("threshold", st.sampled_from([0.1, 0.5, 2])),
        st.one_of(st.just({}), of("tail_weight_holdout", st.just(0.1))),
        ABOUT,
        column="i",
    ),
    call("expect_table_column_count_to_be_between", of("min_value", st.integers(10, 13)), of("max_value", st.just(13))),
    call("expect_table_column_count_to_equal", of("value", st.integers(11, 13))),
    call("expect_column_unique_value_count_to_be_between", of("column", ANY), bounds(st.integers(0, 6)), ABOUT),
    call("expect_table_row_count_to_be_between", bounds(st.integers(0, 12)), ABOUT),
    call("expect_table_row_count_to_equal", of("value", st.integers(0, 12)), ABOUT),
    call("expect_column_to_exist", of("column", st.sampled_from([*TYPES, "x"]))),
    call("expect_column_to_exist", of("column", ANY), of("column_index", st.sampled_from([1, 2, 5, -1, -3, 50]))),
    call("expect_table_columns_to_match_set", of("column_set", NAMES)),
    call("expect_table_columns_to_match_set", of("column_set", NAMES), of("exact_match", st.booleans())),
    call("expect_table_columns_to_match_ordered_list", of("column_list", st.one_of(NAMES, st.just(list(TYPES))))),
)


@pytest.fixture(scope="module")
def gx() -> Oracle:
    """Great Expectations on pandas, in one context for all cases."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations
        from great_expectations.expectations.registry import get_expectation_impl

        logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
        context = great_expectations.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
        asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("rows")
        batches = asset.add_batch_definition_whole_dataframe("all")

    def judged(frame: Frame, name: str, kwargs: Kwargs) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            batch = batches.get_batch({"dataframe": frame.pandas()})
            expectation = get_expectation_impl(name)(**kwargs)
            found: dict[str, Any] = batch.validate(expectation, result_format="COMPLETE").to_json_dict()
        problems = found["exception_info"]
        if RAISES.get(name, "\0") in str(problems.get("exception_message")):
            return found
        assert problems.get("raised_exception", True) is False, f"GX cannot judge {name}({kwargs}): {problems}"
        return found

    return judged


#: What GX says of rules and data that it cannot judge; ours can. See the list above.
RAISES = {"expect_column_pair_values_to_be_in_set": "is not JSON serializable"}

COUNTS = ("element_count", "missing_count", "unexpected_count", "unexpected_percent")


@settings(max_examples=max(300, settings().max_examples), suppress_health_check=list(HealthCheck))
@given(frame=frames(), rule=RULES)
def test_gx_says_the_same(gx: Oracle, frame: Frame, rule: tuple[str, Kwargs]) -> None:
    name, kwargs = rule
    theirs = gx(frame, name, kwargs)
    assume(theirs["exception_info"].get("raised_exception", True) is False)
    assume(theirs["result"].get("observed_value") != "NaT")
    verdict = validate(frame.polars(), [{"type": name, "kwargs": kwargs}], result_format="COMPLETE")
    (ours,) = verdict.to_json_dict()["results"]
    assert verdict.results[0].error is None
    assert ours["success"] == theirs["success"]
    for count in COUNTS:
        if count in theirs["result"]:
            assert ours["result"][count] == pytest.approx(theirs["result"][count]), count
    if "observed_value" in theirs["result"]:
        assert comparable(ours["result"]["observed_value"]) == comparable(theirs["result"]["observed_value"])


def comparable(observed: Any) -> Any:
    """An observed value as both worlds' JSON can agree on it."""
    if observed is None or isinstance(observed, list):
        return observed
    if isinstance(observed, dict):
        return {
            name: [None if value is None or math.isnan(value) else round(float(value), 9) for value in values]
            for name, values in observed.items()
        }
    if isinstance(observed, str):
        return datetime.fromisoformat(observed)
    return pytest.approx(float(observed), nan_ok=True, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("expect_column_values_to_be_of_type", {"column": "i", "type_": "int64"}),
        ("expect_column_values_to_be_of_type", {"column": "i", "type_": "int"}),
        ("expect_column_values_to_be_of_type", {"column": "i", "type_": "float"}),
        ("expect_column_values_to_be_of_type", {"column": "f", "type_": "float64"}),
        ("expect_column_values_to_be_of_type", {"column": "s", "type_": "str"}),
        ("expect_column_values_to_be_of_type", {"column": "t", "type_": "datetime64[ns]"}),
        ("expect_column_values_to_be_of_type", {"column": "b", "type_": "bool"}),
        ("expect_column_values_to_be_in_type_list", {"column": "i", "type_list": ["int64", "float64"]}),
        ("expect_column_values_to_be_in_type_list", {"column": "b", "type_list": ["int64", "float64"]}),
    ],
)
def test_gx_finds_the_same_types(gx: Oracle, name: str, kwargs: Kwargs) -> None:
    moment = datetime.fromisoformat("2026-01-01")
    frame = Frame({"i": [1], "f": [1.5], "s": ["a"], "b": [True], "t": [moment]})
    assert validate(frame.polars(), [{"type": name, **kwargs}]).success == gx(frame, name, kwargs)["success"]
