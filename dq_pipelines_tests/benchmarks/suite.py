"""The 39 rules of the usual kinds, as Great Expectations writes them, and what is wrong with the seeded data.

Imports nothing heavy: the process that measures must stay small, since a child's peak memory begins with its parent's.
"""

from __future__ import annotations

from typing import Any

COLUMNS = (
    "l_orderkey", "l_partkey", "l_suppkey", "l_linenumber", "l_quantity", "l_extendedprice", "l_discount", "l_tax",
    "l_returnflag", "l_linestatus", "l_shipdate", "l_commitdate", "l_receiptdate", "l_shipinstruct", "l_shipmode",
    "l_comment",
)  # fmt: skip
KEY = ("l_orderkey", "l_linenumber")

BETWEEN: dict[str, tuple[Any, Any]] = {
    "l_partkey": (1, 2_000_000),  # as far as ten times the data goes
    "l_suppkey": (1, 100_000),
    "l_linenumber": (1, 7),
    "l_quantity": (1, 50),
    "l_extendedprice": (900, 105_000),
    "l_discount": (0, 0.1),
    "l_tax": (0, 0.08),
    "l_shipdate": ("1992-01-01", "1998-12-31"),
    "l_commitdate": ("1992-01-01", "1998-12-31"),
}
IN_SET: dict[str, tuple[str, ...]] = {
    "l_returnflag": ("A", "N", "R"),
    "l_linestatus": ("F", "O"),
    "l_shipinstruct": ("COLLECT COD", "DELIVER IN PERSON", "NONE", "TAKE BACK RETURN"),
    "l_shipmode": ("AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"),
}
REGEX = r"^[A-Za-z ,.;:!?'-]+$"
LENGTHS = (10, 43)

#: 33 rules on rows, then 6 on the table: (type, arguments).
RULES: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("expect_column_values_to_not_be_null", {"column": name}) for name in COLUMNS),
    *(
        ("expect_column_values_to_be_between", {"column": name, "min_value": low, "max_value": high})
        for name, (low, high) in BETWEEN.items()
    ),
    *(
        ("expect_column_values_to_be_in_set", {"column": name, "value_set": list(values)})
        for name, values in IN_SET.items()
    ),
    ("expect_column_values_to_match_regex", {"column": "l_comment", "regex": REGEX}),
    (
        "expect_column_value_lengths_to_be_between",
        {"column": "l_comment", "min_value": LENGTHS[0], "max_value": LENGTHS[1]},
    ),
    (
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "l_receiptdate", "column_B": "l_shipdate", "ignore_row_if": "either_value_is_missing"},
    ),
    ("expect_compound_columns_to_be_unique", {"column_list": list(KEY)}),
    ("expect_column_mean_to_be_between", {"column": "l_quantity", "min_value": 24, "max_value": 27}),
    ("expect_column_stdev_to_be_between", {"column": "l_extendedprice", "min_value": 15_000, "max_value": 30_000}),
    ("expect_column_min_to_be_between", {"column": "l_discount", "min_value": 0, "max_value": 0.1}),
    ("expect_column_max_to_be_between", {"column": "l_tax", "min_value": 0, "max_value": 0.08}),
    ("expect_column_sum_to_be_between", {"column": "l_quantity", "min_value": 1, "max_value": 10_000_000_000}),
    ("expect_table_row_count_to_be_between", {"min_value": 1, "max_value": 100_000_000}),
)
ROW_RULES = 33
UNIQUE = 32

#: What a tool found: per rule, the failing rows, or for a rule on the table whether it holds; None where it tells none.
Found = list[int | bool | None]

#: Of so many rows, one breaks each rule on rows: rule k in the rows whose number leaves 2k. The rows between
#: stay as they are, so that a fault stands beside no other.
EVERY = 5_003


def truth(rows: int, *, faulty: bool) -> Found:
    """What is to be found in lineitem with this many rows."""
    if not faulty:
        return [*([0] * ROW_RULES), *([True] * (len(RULES) - ROW_RULES))]
    found: Found = [len(range(2 * rule, rows, EVERY)) for rule in range(ROW_RULES)]
    for rule in (COLUMNS.index(name) for name in KEY):
        found[rule] = 1  # more rows without a key would be repeated keys as well
    found[UNIQUE] = 2 * len(range(2 * UNIQUE, rows, EVERY))
    # Discounts below 0 were seeded: the smallest is the one number that gives them away.
    return [*found, *(kind != "expect_column_min_to_be_between" for kind, _ in RULES[ROW_RULES:])]


def many(count: int) -> list[tuple[str, dict[str, Any]]]:
    """So many rules: the suite over and over, each time with bounds and sets a little wider, so that no two are the same.

    They find what those of the suite find, since what was seeded lies far outside: `truth` holds for each round.
    """
    return [(RULES[index % len(RULES)][0], _wider(index % len(RULES), index // len(RULES))) for index in range(count)]


def _wider(rule: int, by: int) -> dict[str, Any]:
    _, arguments = RULES[rule]
    wider = dict(arguments)
    if isinstance(wider.get("max_value"), str):
        wider["max_value"] = f"{1998 + by}-12-31"
    elif "max_value" in wider:
        wider["max_value"] += by
    if "value_set" in wider:
        wider["value_set"] = [*wider["value_set"], *map(str, range(by))]
    if "regex" in wider:
        wider["regex"] = wider["regex"] + f"|^{by}$" * bool(by)
    return wider
