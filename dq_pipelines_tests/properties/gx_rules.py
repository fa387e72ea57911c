"""Random arguments for every expectation that Great Expectations runs on pandas, drawn evenly over expectations.

What GX cannot judge, or judges erratically, is not drawn; `docs/differences.md` lists it with the reasons.
"""

from __future__ import annotations

from hypothesis import strategies as st

from dq_pipelines_tests.properties.gx_arguments import (
    ABOUT,
    ALIKE,
    ANY,
    BETWEEN_PLACES,
    BINS,
    BOUNDS,
    KEYS,
    LENGTHS,
    MOSTLY,
    NAMES,
    ONE_OF_MANY,
    ONE_OF_PAIR,
    OWN_NAMES,
    PAIRS,
    PAIRS_OF_VALUES,
    PATTERNS,
    PLACES,
    QUANTILES,
    SCHEMAS,
    SETS,
    SHARES,
    STRICTLY,
    TEXT,
    TYPE_NAMES,
    WHOLE_SETS,
    Drawn,
    both,
    bounds,
    call,
    of,
)
from dq_pipelines_tests.properties.gx_frames import (
    DATES,
    MOMENTS,
    QUARTERS,
    TYPES,
)

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
