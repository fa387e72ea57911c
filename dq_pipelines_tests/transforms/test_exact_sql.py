"""No integer wraps in SQL: what Python computes is what comes out, or an error does."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq_pipelines.transforms import exact_sql

MOST = 2**63 - 1
#: Sums of four products of two fit 128 bits, and most do not fit 64.
NUMBERS = st.integers(-(2**62), 2**62)
SUMS: dict[str, Callable[[list[int], list[int]], int]] = {
    "SELECT SUM(x) AS found FROM self": lambda x, _: sum(x),
    "SELECT SUM(x * y) AS found FROM self": lambda x, y: sum(a * b for a, b in zip(x, y, strict=True)),
    "SELECT SUM(found) AS found FROM (SELECT x - y AS found FROM self) AS t": lambda x, y: sum(x) - sum(y),
    "WITH t AS (SELECT -x AS found FROM self) SELECT SUM(found) AS found FROM t": lambda x, _: -sum(x),
    "SELECT SUM(CAST(text AS BIGINT)) AS found FROM self": lambda x, _: sum(x),
    "SELECT SUM(text::bigint * y) AS found FROM self": lambda x, y: sum(a * b for a, b in zip(x, y, strict=True)),
}


def rows(x: list[int], y: list[int]) -> pl.LazyFrame:
    return pl.LazyFrame({"x": x, "y": y, "text": [str(number) for number in x]}, schema_overrides={"x": pl.Int64})


@pytest.mark.parametrize("sql", SUMS)
@given(pairs=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4))
def test_a_sum_is_exact_or_an_error(sql: str, pairs: list[tuple[int, int]]) -> None:
    x, y = [one for one, _ in pairs], [one for _, one in pairs]
    wanted = SUMS[sql](x, y)
    assert exact_sql.query({"self": rows(x, y)}, sql, narrow=False).collect()["found"].to_list() == [wanted]
    found = exact_sql.query({"self": rows(x, y)}, sql)
    if -MOST - 1 <= wanted <= MOST:
        assert found.collect()["found"].to_list() == [wanted]
        assert found.collect_schema() == {"found": pl.Int64()}
    else:
        with pytest.raises(pl.exceptions.InvalidOperationError, match="found"):
            found.collect()


@given(x=st.integers(-(2**31), 2**31 - 1))
def test_a_derived_column_is_exact_or_an_error(x: int) -> None:
    frame = pl.LazyFrame({"x": [x], "name": ["a"]}, schema_overrides={"x": pl.Int32})
    found = exact_sql.with_columns(frame, {"x": "x * 2", "big": "x + 1"})
    assert found.collect_schema() == {"x": pl.Int32(), "name": pl.String(), "big": pl.Int32()}
    if -(2**30) <= x < 2**30:
        assert found.collect().rows() == [(2 * x, "a", x + 1)]
    else:
        with pytest.raises(pl.exceptions.InvalidOperationError):
            found.collect()


def test_a_condition_is_judged_by_the_exact_number() -> None:
    frame = pl.LazyFrame({"x": [MOST, 1]})
    assert exact_sql.filtered(frame, "x + x > 0").collect().rows() == [(MOST,), (1,)]
    assert exact_sql.filtered(frame, "x + x < 0", or_if=pl.col("x") == 1).collect().rows() == [(1,)]
    assert exact_sql.with_columns(frame, {"twice": "x * 2 > x"}).collect()["twice"].to_list() == [True, True]


def test_what_computes_nothing_is_left_as_it_is() -> None:
    frame = pl.LazyFrame({"x": pl.Series([200], dtype=pl.UInt8), "name": ["a"]})
    for sql in ("SELECT * FROM self", "SELECT COUNT(*) AS n, MAX(x) AS x FROM self", "SELECT DISTINCT x FROM self"):
        assert exact_sql.query({"self": frame}, sql).explain() == pl.SQLContext({"self": frame}).execute(sql).explain()
