"""Extreme values of every type end nothing: each row is published or refused, and each answer is JSON."""

from __future__ import annotations

import io
import json
from datetime import time
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dq_pipelines as dq
from dq_pipelines_tests.workshop import Workshop


def integers(dtype: Any, low: int, high: int) -> st.SearchStrategy[pl.Series]:
    numbers = st.none() | st.integers(low, high) | st.sampled_from([low, high, 0])
    return lists(numbers).map(lambda values: pl.Series(values, dtype=dtype))


def moments(dtype: Any, bits: int) -> st.SearchStrategy[pl.Series]:
    return integers(pl.Int32 if bits == 32 else pl.Int64, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).map(
        lambda values: values.cast(dtype)
    )


def lists(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=3, max_size=3)


def decimals(precision: int, scale: int) -> st.SearchStrategy[pl.Series]:
    digits = st.integers(1 - 10**precision, 10**precision - 1) | st.sampled_from([10**precision - 1, 0])
    return lists(st.none() | digits).map(
        lambda values: pl.Series(
            [None if value is None else Decimal(f"{value}e-{scale}") for value in values],
            dtype=pl.Decimal(precision, scale),
        )
    )


def others(values: st.SearchStrategy[Any], dtype: Any) -> st.SearchStrategy[pl.Series]:
    return lists(st.none() | values).map(lambda found: pl.Series(found, dtype=dtype))


#: Columns of three rows by the name of their type.
COLUMNS: dict[str, st.SearchStrategy[pl.Series]] = {
    "int8": integers(pl.Int8, -128, 127),
    "int64": integers(pl.Int64, -(2**63), 2**63 - 1),
    "uint64": integers(pl.UInt64, 0, 2**64 - 1),
    "int128": integers(pl.Int128, -(2**127), 2**127 - 1),
    "float32": others(st.floats(width=32), pl.Float32),
    "float64": others(st.floats(), pl.Float64),
    "decimal": decimals(38, 2),
    "fraction": decimals(38, 38),
    "boolean": others(st.booleans(), pl.Boolean),
    "text": others(st.text(max_size=5), pl.String),
    "bytes": others(st.binary(max_size=5), pl.Binary),
    "date": moments(pl.Date, 32),
    "datetime": moments(pl.Datetime("us"), 64),
    "zoned": moments(pl.Datetime("us", "Europe/Berlin"), 62),
    "nanoseconds": moments(pl.Datetime("ns"), 64),
    "duration": moments(pl.Duration("ms"), 64),
    "time": others(st.times() | st.just(time(23, 59, 59, 999999)), pl.Time),
    "list": others(st.lists(st.none() | st.floats()), pl.List(pl.Float64)),
    "struct": others(st.fixed_dictionaries({"a": st.floats()}), pl.Struct({"a": pl.Float64})),
    "null": others(st.none(), pl.Null),
}

_AGGREGATES = ("min", "max", "mean", "median", "sum", "stdev", "unique_value_count")
_QUANTILES = {"quantiles": [0.0, 0.5, 1.0], "value_ranges": [[None, None], [0, 1], [None, 5]]}

#: Rules of each family, without their column.
RULES: list[dict[str, Any]] = [
    {"type": "expect_column_values_to_not_be_null"},
    {"type": "expect_column_values_to_be_null"},
    {"type": "expect_column_values_to_be_unique"},
    {"type": "expect_column_values_to_be_between", "min_value": 1, "max_value": 2},
    {"type": "expect_column_values_to_be_in_set", "value_set": [0, "a"]},
    {"type": "expect_column_distinct_values_to_be_in_set", "value_set": [0]},
    {"type": "expect_column_most_common_value_to_be_in_set", "value_set": [0]},
    {"type": "expect_column_values_to_be_increasing"},
    {"type": "expect_column_value_lengths_to_be_between", "max_value": 1},
    {"type": "expect_column_values_to_match_regex", "regex": "a"},
    {"type": "expect_column_value_z_scores_to_be_less_than", "threshold": 1, "double_sided": True},
    {"type": "expect_column_values_to_not_be_outliers", "method": "iqr"},
    {"type": "expect_column_quantile_values_to_be_between", "quantile_ranges": _QUANTILES},
    {"type": "expect_table_to_be_fresh", "max_age": "1d"},
    *({"type": f"expect_column_{one}_to_be_between", "max_value": 1} for one in _AGGREGATES),
]


@pytest.mark.parametrize("dtype", COLUMNS)
@settings(max_examples=5)
@given(data=st.data())
def test_a_verdict_on_any_values_is_json(dtype: str, data: st.DataObject) -> None:
    values = data.draw(COLUMNS[dtype])
    rules = data.draw(st.lists(st.sampled_from(RULES), min_size=1, max_size=6))
    frame = pl.DataFrame({"id": [1, 2, 3], "x": values})
    verdict = dq.validate(frame, [{**rule, "column": "x"} for rule in rules], result_format="COMPLETE")
    written = json.loads(json.dumps(verdict.to_json_dict(), allow_nan=False))
    assert len(written["results"]) == len(rules)
    assert "Traceback" not in json.dumps(written)
    assert verdict.kept.collect().height + verdict.refused.collect().height == 3
    assert verdict._repr_html_()


#: Types of silver, and texts that are extreme in them.
TEXTS = {
    "int64": ["9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e400"],
    "float64": ["1.7976931348623157e308", "-1.7976931348623157e308", "5e-324", "inf", "nan"],
    "decimal(38,2)": ["9" * 36 + ".99", "-" + "9" * 36 + ".99", "9" * 37],
    "date": ["0001-01-01", "9999-12-31", "0000-01-01", "10000-01-01", "-0001-01-01"],
    "datetime": ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "0000-01-01T00:00:00", "99999-01-01T00:00:00"],
    "boolean": ["true", "false", "2"],
    "string": ["\x01", "x" * 10_000, "￿", "'); drop table x; --"],
}


@pytest.mark.slow
def test_a_run_over_extreme_texts_publishes_or_refuses_each_row(shop: Workshop) -> None:
    """Metrics, samples, reasons and Dagster's metadata included: every rule warns, and none ends the run."""
    columns = {f"c{place}": dtype for place, dtype in enumerate(TEXTS)}
    rules = [{**rule, "column": name, "severity": "warning"} for name in columns for rule in RULES]
    shop.table(
        "x",
        f"""
        source: {{type: csv, path: "{{landing}}/*.csv"}}
        silver:
          columns: {json.dumps({"id": "int64", **columns})}
          rules: {json.dumps(rules)}
        """,
    )
    rows = [
        {"id": len(TEXTS) * 10 + place * 10 + number, **{f"c{other}": None for other in range(len(TEXTS))}, name: text}
        for place, (name, texts) in enumerate(zip(columns, TEXTS.values(), strict=True))
        for number, text in enumerate(texts)
    ]
    content = io.BytesIO()
    pl.DataFrame(rows, schema={"id": pl.Int64, **dict.fromkeys(columns, pl.String)}).write_csv(content)
    shop.land("x.csv", content.getvalue())
    ran = shop.run("x")
    assert ran.success
    assert ran.checks["silver/x:rows_accounted_for"].passed
    published, refused = shop.rows("silver/x", "id"), shop.rows("quarantine/x", "id")
    assert sorted([*map(str, published), *refused]) == sorted(str(row["id"]) for row in rows)
    assert len(published) >= len(TEXTS)
    assert {rule for rule, _, _ in shop.refused("x")} == {"cast"}
    record = shop.history.latest("silver/x")
    assert record is not None
    json.dumps([result.observed_value for result in record.results], allow_nan=False)
