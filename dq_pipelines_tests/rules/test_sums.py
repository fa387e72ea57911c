"""Sums are those of Python's own numbers: they do not wrap beyond 64 bits, nor overflow on their way."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dq_pipelines as dq
from dq_pipelines_tests.workshop import Workshop

SUM = {"type": "expect_column_sum_to_be_between", "column": "x"}
ROW_SUM = {"type": "expect_multicolumn_sum_to_equal", "column_list": ["a", "b", "c", "d"]}

WIDTHS: dict[type[pl.DataType], tuple[int, int]] = {
    pl.Int8: (-(2**7), 2**7 - 1),
    pl.UInt32: (0, 2**32 - 1),
    pl.Int64: (-(2**63), 2**63 - 1),
    pl.UInt64: (0, 2**64 - 1),
    pl.Int128: (-(2**127), 2**127 - 1),
}


def result_of(values: list[Any], dtype: Any, **bounds: Any) -> dq.RuleResult:
    (result,) = dq.validate(pl.DataFrame({"x": values}, schema={"x": dtype}), [{**SUM, **bounds}]).results
    return result


@given(st.data())
def test_a_sum_of_integers_is_that_of_python(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(list(WIDTHS)))
    low, high = WIDTHS[dtype]
    numbers = st.none() | st.integers(low, high) | st.sampled_from([low, high])
    values = data.draw(st.lists(numbers, max_size=6))
    total = sum(value for value in values if value is not None)
    result = result_of(values, dtype, min_value=total, max_value=total)
    assert result.error is None
    assert result.observed_value == total
    assert result.success
    assert not result_of(values, dtype, min_value=total + 1).success


@given(st.data())
def test_a_sum_of_decimals_is_exact_or_an_error(data: st.DataObject) -> None:
    precision = data.draw(st.integers(1, 38))
    scale = data.draw(st.integers(0, precision))
    digits = data.draw(st.lists(st.integers(1 - 10**precision, 10**precision - 1), max_size=6))
    with localcontext(prec=200):
        values = [Decimal(each).scaleb(-scale) for each in digits]
        total = sum(values, Decimal(0))
    result = result_of(values, pl.Decimal(precision, scale))
    if len(str(abs(sum(digits)))) <= 38:
        assert result.error is None
        assert result.observed_value == total
    else:
        assert result.error is not None
        assert "more than 38 digits" in result.error


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=4, max_size=4), st.integers(-1, 1))
def test_a_rows_sum_does_not_wrap(values: list[int], off: int) -> None:
    frame = pl.DataFrame({name: [value] for name, value in zip("abcd", values, strict=True)})
    (result,) = dq.validate(frame, [{**ROW_SUM, "sum_total": sum(values) + off}]).results
    assert result.error is None
    assert result.success == (off == 0)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_sum_of_what_a_report_has(engine: str) -> None:
    frame = pl.DataFrame({"x": [2**62] * 3})
    verdict = dq.validate(frame, [{**SUM, "min_value": 0}], engine=engine)
    assert verdict.success
    written = json.loads(json.dumps(verdict.to_json_dict()))
    assert written["results"][0]["result"]["observed_value"] == 13835058055282163712
    unsigned = pl.DataFrame({"x": pl.Series([2, 2, 2**64 - 2], dtype=pl.UInt64)})
    assert dq.validate(unsigned, [{**SUM, "max_value": 127}], engine=engine).results[0].observed_value == 2**64 + 2
    wide = pl.DataFrame({name: [2**62] for name in "abcd"})
    assert not dq.validate(wide, [{**ROW_SUM, "sum_total": 0}], engine=engine).success


def test_history_and_dagster_hold_a_sum_beyond_64_bits(shop: Workshop) -> None:
    shop.table(
        "x",
        """
        source: {type: csv, path: "{landing}/*.csv"}
        silver:
          columns: {id: int64, qty: int64}
          rules: [{type: expect_column_sum_to_be_between, column: qty, min_value: 0, severity: warning}]
        """,
    )
    shop.land("x.csv", "id,qty\n" + "".join(f"{place},{2**62}\n" for place in range(3)))
    ran = shop.run("x")
    assert ran.success
    (check,) = [name for name in ran.checks if "sum" in name]
    assert ran.checks[check].passed
    assert ran.number(check, "observed_value") == "13835058055282163712"
    verdict = shop.history.latest("silver/x")
    assert verdict is not None
    assert 13835058055282163712 in [result.observed_value for result in verdict.results]
