"""Random values for the arguments that expectations share: bounds, sets, conditions, quantiles, partitions."""

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
