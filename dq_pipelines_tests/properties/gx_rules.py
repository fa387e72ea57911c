"""Random arguments for every expectation that Great Expectations runs on pandas, drawn evenly over expectations.

What GX cannot judge, or judges erratically, is not drawn; `docs/differences.md` lists it with the reasons.
"""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from dq_pipelines_tests.properties.gx_frames import (
    AMOUNTS,
    DATES,
    MOMENTS,
    QUARTERS,
    TEXTS,
    TYPES,
    ZONED,
)

Kwargs = dict[str, Any]
Drawn = tuple[str, Kwargs]

BOUNDS: dict[str, st.SearchStrategy[Any]] = {
    "i": st.one_of(st.integers(-6, 6), QUARTERS),
    "n": st.integers(-6, 6),
    "f": st.one_of(st.integers(-6, 6), QUARTERS),
    "m": QUARTERS,
    "b": st.sampled_from([0, 0.5, 1]),
    "d": DATES,
    "t": MOMENTS,
    "z": ZONED,
}


def bounds(values: st.SearchStrategy[Any], *, needed: bool = False) -> st.SearchStrategy[Kwargs]:
    low = st.fixed_dictionaries({"min_value": values}, optional={"strict_min": st.booleans()})
    high = st.fixed_dictionaries({"max_value": values}, optional={"strict_max": st.booleans()})
    both = (
        st.tuples(low, high)
        .map(lambda pair: {**pair[0], **pair[1]})
        .filter(lambda kw: kw["min_value"] <= kw["max_value"])
    )
    return st.one_of(low, high, both) if needed else st.one_of(st.just({}), low, high, both)


def call(name: str, *parts: Any, **fixed: Any) -> tuple[str, st.SearchStrategy[Drawn]]:
    """The expectation's name, and it with arguments drawn from `parts`, each a strategy of keyword arguments."""
    joined = st.tuples(*parts).map(lambda drawn: {**fixed, **{k: v for part in drawn for k, v in part.items()}})
    return name, joined.map(lambda kwargs: (name, kwargs))


def no_bounds_that_cross(kwargs: Kwargs) -> bool:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    return low is None or high is None or bool(low <= high)


def of(key: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Kwargs]:
    return st.fixed_dictionaries({key: values})


def both(drawn: tuple[Kwargs, Kwargs]) -> Kwargs:
    return {**drawn[0], **drawn[1]}


CONDITIONS = st.sampled_from(
    [
        "i > 0", "i != 0", "0 < i", "f > 0", "f != 1", "not (f > 1)", "i > 0 and f < 2", "i > 0 | s == 'ok'", "s == 'abc'",
        "s != 'abc'", "i in [1, 2]", "s not in ['ok', 'abc']", "i == [1, 2]", "`two words` >= 1", "i > j", "f.isnull()",
        "s.notnull()", "-1 < i <= 3", "b", "not b", "~b", "i == 99", "i == '1'", "s != 1", "i != 'a'",
    ]
)  # fmt: skip
#: What GX's Python API (`Column("i") > 0`) is saved as.
COMPARISONS = st.one_of(
    st.tuples(st.sampled_from(["i", "f", "two words"]), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), QUARTERS),
    st.tuples(st.just("s"), st.sampled_from(["==", "!="]), st.sampled_from(["abc", "ok", ""])),
    st.tuples(st.just("i"), st.sampled_from(["IN", "NOT_IN"]), st.lists(st.integers(-3, 3), min_size=1, max_size=3)),
).map(lambda c: {"type": "comparison", "column": {"name": c[0]}, "operator": c[1], "parameter": c[2]})
NULLITIES = st.tuples(st.sampled_from(["f", "s", "d", "t", "i"]), st.booleans()).map(
    lambda drawn: {"type": "nullity", "column": {"name": drawn[0]}, "is_null": drawn[1]}
)
SIMPLE = st.one_of(COMPARISONS, NULLITIES)
CONDITIONS_AS_SAVED = st.one_of(
    SIMPLE,
    st.fixed_dictionaries(
        {"type": st.sampled_from(["and", "or"]), "conditions": st.lists(SIMPLE, min_size=2, max_size=3)}
    ),
)
ABOUT: st.SearchStrategy[Kwargs] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"row_condition": CONDITIONS, "condition_parser": st.just("pandas")}),
    st.just({"row_condition": 'col("i") > 0', "condition_parser": "great_expectations"}),
    st.just({"row_condition": 'col("s").notnull()', "condition_parser": "great_expectations"}),
    CONDITIONS_AS_SAVED.map(lambda condition: {"row_condition": condition}),
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
    "o": st.lists(st.one_of(st.integers(-3, 3), st.sampled_from(["a", "1", "abc", 2.5, 2.0])), max_size=5),
    "m": st.lists(AMOUNTS, max_size=5),
    "n": st.lists(st.integers(-5, 5), max_size=6),
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
PLACES = of("allow_relative_error", st.sampled_from([False, "lower", "higher", "nearest"]))
BETWEEN_PLACES = of("allow_relative_error", st.sampled_from(["linear", "midpoint"]))
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
KEYS = st.lists(st.sampled_from(["i", "f", "s", "d", "m", "t", "n"]), min_size=2, max_size=3, unique=True)
LENGTHS = bounds(st.integers(0, 4), needed=True)
NAMES = st.lists(st.sampled_from([*TYPES, "x"]), max_size=10, unique=True)

#: Names that numpy and pandas know.
TYPE_NAMES = st.sampled_from(
    ["int", "int64", "float64", "float", "str", "bool", "datetime64", "datetime64[ns]", "object", "O"]
)
OWN_NAMES = st.sampled_from(["Int64", "string", "datetime64[us, UTC]", "datetime64[us]", "category"])

CASES: list[tuple[str, st.SearchStrategy[Drawn]]] = [
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
        call(f"expect_column_values_to_be_{way}", of("column", st.sampled_from("iftdm")), STRICTLY, MOSTLY, ABOUT)
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
        st.one_of(
            st.tuples(of("column", st.sampled_from("if")), of("method", st.just("std"))).map(both),
            # Quartiles lie between values, and beside an infinity numpy finds NaN.
            st.tuples(of("column", st.just("i")), st.one_of(st.just({}), of("method", st.just("iqr")))).map(both),
        ),
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
        st.one_of(
            st.tuples(of("column", st.sampled_from("if")), st.one_of(st.just({}), PLACES)).map(both),
            # Between an infinity and a number, or beside one, numpy finds NaN.
            st.tuples(of("column", st.just("i")), BETWEEN_PLACES).map(both),
        ),
        of("quantile_ranges", QUANTILES),
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
    *(
        call(name, of("column", st.sampled_from("ifsbtzmdo")), of(key, names), of_types, ABOUT)
        for name, key, names, of_types in (
            ("expect_column_values_to_be_of_type", "type_", TYPE_NAMES, MOSTLY),
            (
                "expect_column_values_to_be_in_type_list",
                "type_list",
                st.lists(TYPE_NAMES, min_size=1, max_size=3),
                MOSTLY,
            ),
        )
    ),
    call("expect_column_type_to_be", of("column", ANY), of("type_", st.one_of(TYPE_NAMES, OWN_NAMES))),
    call("expect_column_unique_value_count_to_be_between", of("column", ANY), bounds(st.integers(0, 6)), ABOUT),
    call("expect_table_row_count_to_be_between", bounds(st.integers(0, 12)), ABOUT),
    call("expect_table_row_count_to_equal", of("value", st.integers(0, 12)), ABOUT),
    call("expect_column_to_exist", of("column", st.sampled_from([*TYPES, "x"]))),
    call("expect_column_to_exist", of("column", ANY), of("column_index", st.sampled_from([1, 2, 5, -1, -3, 50]))),
    call("expect_table_columns_to_match_set", of("column_set", NAMES)),
    call("expect_table_columns_to_match_set", of("column_set", NAMES), of("exact_match", st.booleans())),
    call("expect_table_columns_to_match_ordered_list", of("column_list", st.one_of(NAMES, st.just(list(TYPES))))),
]

_BY_NAME = {name: [strategy for of_name, strategy in CASES if of_name == name] for name in dict(CASES)}

#: Every expectation that is compared.
COMPARED = frozenset(_BY_NAME)

#: An expectation with its arguments.
RULES: st.SearchStrategy[Drawn] = st.sampled_from(sorted(COMPARED)).flatmap(lambda name: st.one_of(_BY_NAME[name]))

FORMATS = st.one_of(
    st.sampled_from(["BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE"]),
    st.fixed_dictionaries(
        {"result_format": st.sampled_from(["BASIC", "SUMMARY", "COMPLETE"])},
        optional={
            "unexpected_index_column_names": st.just(["key"]),
            "partial_unexpected_count": st.sampled_from([0, 2]),
            "include_unexpected_rows": st.booleans(),
        },
    ),
    st.fixed_dictionaries(
        {"result_format": st.sampled_from(["BASIC", "SUMMARY", "COMPLETE"]), "exclude_unexpected_values": st.just(True)}
    ),
)
