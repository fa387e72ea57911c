"""Rules that judge some rows and fail over others: one of each family that can fail while rows are judged."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import narwhals as nw
import polars as pl

_HERE = "dq_pipelines_tests.engine.faulty_rules"


def whole(value: nw.Expr) -> nw.Expr:
    """A cast that fails over a text that is no number."""
    return value.cast(nw.Int64) > 0


class NoSuchBookError(Exception):
    """An error that no library knows."""


def looked_up(value: nw.Expr) -> nw.Expr:
    """A function of a user that raises."""
    raise NoSuchBookError(f"3 is in no book, {value} neither")


#: Rows over which the rules of `FAULTY` fail; `GOOD` judges them.
ROWS = pl.DataFrame(
    {
        "id": [1, 2, 3, 4],
        "amount": [Decimal("9" * 36 + ".99"), Decimal("9" * 36 + ".99"), Decimal(1), None],
        "code": ["1", "2", "x", None],
        "even": [666, 2, 4, 6],
        "day": pl.Series([0, 1, 3_000_000, None], dtype=pl.Int32).cast(pl.Date),
    },
    schema_overrides={"amount": pl.Decimal(38, 2)},
)

GOOD: list[dict[str, Any]] = [
    {"type": "expect_column_values_to_not_be_null", "column": "id"},
    {"type": "expect_column_values_to_be_between", "column": "id", "max_value": 3, "on_failure": "quarantine"},
    {"type": "expect_column_values_to_be_unique", "column": "id"},
    {"type": "expect_column_max_to_be_between", "column": "id", "max_value": 4},
    {"type": "expect_column_distinct_values_to_be_in_set", "column": "even", "value_set": [666, 2, 4, 6]},
    {"type": "expect_query_to_return_no_rows", "unexpected_rows_query": "SELECT * FROM {batch} WHERE id > 4"},
]

#: By family: the rule, and a word of what its error says.
FAULTY: dict[str, tuple[dict[str, Any], str]] = {
    "decimal sum": ({"type": "expect_column_sum_to_be_between", "column": "amount"}, "more than 38 digits"),
    "sql cast": ({"type": "expect_rows_sql", "sql": "CAST(code AS INT) > 0"}, "x"),
    "query": (
        {
            "type": "expect_query_to_return_no_rows",
            "unexpected_rows_query": "SELECT * FROM {batch} WHERE CAST(code AS INT) < 0",
        },
        "x",
    ),
    "a bound beyond the type": (
        {"type": "expect_column_values_to_be_between", "column": "id", "max_value": "soon"},
        "soon",
    ),
    "a column that is not there": ({"type": "expect_column_values_to_be_unique", "column": "nowhere"}, "nowhere"),
    "python, an expression": ({"type": "python", "function": f"{_HERE}:whole", "column": "code"}, "x"),
    "python, a function": ({"type": "python", "function": f"{_HERE}:looked_up", "column": "id"}, "3 is in no book"),
    "a date that Python has not": ({"type": "expect_column_max_to_be_between", "column": "day"}, "year"),
    "values that Python has not": (
        {
            "type": "expect_column_distinct_values_to_be_in_set",
            "column": "day",
            "value_set": [date(1970, 1, 1)],
        },
        "year",
    ),
    "fresh": ({"type": "expect_table_to_be_fresh", "column": "day", "max_age": "1d"}, "year"),
    "quantiles": (
        {
            "type": "expect_column_quantile_values_to_be_between",
            "column": "day",
            "quantile_ranges": {"quantiles": [1.0], "value_ranges": [[None, None]]},
        },
        "Polars",
    ),
}
