"""No integer wraps in SQL: what Python computes is what comes out, or an error does."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dq_pipelines.transforms import exact_sql, sql_overflow

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


#: What passes 128 bits for great numbers, and its number by Python.
GREAT: dict[str, Callable[[int, int], int]] = {
    "x * x * y": lambda x, y: x * x * y,
    "x * (y * x) - y": lambda x, y: x * y * x - y,
    "-(x * y * y)": lambda x, y: -(x * y * y),
    "POWER(x, 3)": lambda x, _: x**3,
    "ABS(x * y * x) + 1": lambda x, y: abs(x * y * x) + 1,
    "COALESCE(x * y, 0) * CAST(y AS BIGINT)": lambda x, y: x * y * y,
    "SUM(x * x * y)": lambda x, y: x * x * y,
}
ANY = st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**43), 2**43)


def outcome(frame: pl.LazyFrame) -> list[object] | None:
    """The values of the column `found`; None where a number does not fit 128 bits."""
    try:
        return frame.collect()["found"].to_list()
    except pl.exceptions.InvalidOperationError as error:
        assert "does not fit 128 bits: cast a factor to DOUBLE" in str(error)  # noqa: PT017
        return None


@pytest.mark.parametrize("text", GREAT)
@given(x=ANY, y=ANY)
@example(2**62, 2**62)
@example(2**42, 2**42)
@example(2**43, 2**41)
def test_a_number_of_more_than_128_bits_is_an_error_wherever_it_stands(text: str, x: int, y: int) -> None:
    frame, wanted = rows([x], [y]), GREAT[text](x, y)
    found = outcome(exact_sql.query({"self": frame}, f"SELECT {text} AS found FROM self", narrow=False))  # noqa: S608
    judged = outcome(exact_sql.with_columns(frame, {"found": f"{text} > 0"}))
    assert found in (None, [wanted])
    assert judged in (None, [wanted > 0])
    if "SUM" not in text:
        kept = outcome(exact_sql.filtered(frame.with_columns(found=pl.lit(1)), f"{text} > 0"))
        assert kept in (None, [1] if wanted > 0 else [])
        assert (kept is None) == (found is None)
    assert (judged is None) == (found is None)
    if abs(wanted) + abs(y) < 1.6e38:
        assert found == [wanted]


def test_a_number_of_more_than_128_bits_is_an_error_in_groups_windows_and_tables_below() -> None:
    for sql in (
        "SELECT SUM(x * y) AS found FROM self GROUP BY text",
        "SELECT SUM(x * y) OVER (PARTITION BY text) AS found FROM self",
        "WITH t AS (SELECT x * y AS x FROM self) SELECT x * x AS found FROM t",
        "WITH t(a) AS (SELECT x * y FROM self) SELECT a * a AS found FROM t",
        "WITH t AS (SELECT x * y AS x FROM self), u AS (SELECT x * x AS x FROM t) SELECT x AS found FROM u",
        "SELECT text AS found FROM self GROUP BY text HAVING SUM(x * y) > 0",
        "SELECT CASE WHEN x * y * x > 0 THEN 1 ELSE 0 END AS found FROM self",
    ):
        great, small = rows([2**62] * 9, [2**62] * 9), rows([3, 3], [2, 2])
        assert outcome(exact_sql.query({"self": great}, sql, narrow=False)) is None, sql
        assert outcome(exact_sql.query({"self": small}, sql, narrow=False)), sql


def test_a_missing_number_and_floats_are_no_error() -> None:
    frame = pl.LazyFrame({"x": [2**62, None, 3], "f": [float("inf"), float("nan"), 1.0]})
    assert exact_sql.with_columns(frame.tail(2), {"found": "x * x * x"}).collect()["found"].to_list() == [None, 27]
    for text in ("f * x * x * x", "CAST(x AS DOUBLE) * x * x", "x::double * x * x"):
        assert exact_sql.with_columns(frame, {"found": text}).collect().schema["found"] == pl.Float64


def test_what_cannot_pass_128_bits_is_not_checked() -> None:
    sizes = sql_overflow.sizes_of({"x": pl.Int64(), "i": pl.Int32(), "f": pl.Float64(), "s": pl.String()})
    for text in (
        "x * x",
        "x * x - x",
        "SUM(x) * 2",
        "i * i * i",
        "POWER(i, 4)",
        "x * f * x * x",
        "SUM(x * i)",
        "ABS(-x)",
    ):
        assert sql_overflow.checked(text, sizes) == text
    for text in ("x * x * x", "SUM(x * x)", "POWER(x, i)", "LENGTH(s) * x * x", "x * x + x * x"):
        assert sql_overflow.checked(text, sizes) != text
