"""How much of a result is written: GX's four formats, their options, and the rows that fail."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from dq_pipelines.engine.backends.frames import frame_from
from dq_pipelines.engine.validate import validate
from dq_pipelines.errors import ConfigError

NOT_2 = {"type": "expect_column_values_to_not_be_in_set", "column": "x", "value_set": [2]}
FRAME = pd.DataFrame({"x": [1, 2, 2, 3], "key": ["a", "b", "c", "d"]}, index=[10, 20, 30, 40])

COUNTS = {"element_count", "unexpected_count", "unexpected_percent", "missing_count", "missing_percent"}
COUNTS |= {"unexpected_percent_total", "unexpected_percent_nonmissing"}
SUMMARY = {"partial_unexpected_list", "partial_unexpected_counts", "partial_unexpected_index_list"}
COMPLETE = {"unexpected_list", "unexpected_index_list", "unexpected_index_query"}


def result(result_format: Any, rule: dict[str, Any] = NOT_2, frame: Any = FRAME) -> dict[str, Any]:
    found: dict[str, Any] = validate(frame, [rule], result_format=result_format).to_json_dict()["results"][0]["result"]
    return found


@pytest.mark.parametrize(
    ("result_format", "fields"),
    [
        ("BOOLEAN_ONLY", set()),
        ("BASIC", COUNTS | {"partial_unexpected_list"}),
        ("SUMMARY", COUNTS | SUMMARY),
        ("COMPLETE", COUNTS | SUMMARY | COMPLETE),
        ({"result_format": "COMPLETE", "exclude_unexpected_values": True, "return_unexpected_index_query": False},
         COUNTS | {"partial_unexpected_index_list", "unexpected_index_list"}),
        ({"result_format": "BASIC", "include_unexpected_rows": True},
         COUNTS | {"partial_unexpected_list", "unexpected_rows"}),
    ],
)  # fmt: skip
def test_a_format_has_its_fields(result_format: Any, fields: set[str]) -> None:
    assert set(result(result_format)) == fields


def test_rows_are_told_by_the_index_or_by_columns() -> None:
    assert result("COMPLETE")["unexpected_index_list"] == [20, 30]
    assert result("COMPLETE")["unexpected_index_query"] == "df.filter(items=[20, 30], axis=0)"
    keyed = result({"result_format": "COMPLETE", "unexpected_index_column_names": ["key"]})
    assert keyed["unexpected_index_list"] == [{"x": 2, "key": "b"}, {"x": 2, "key": "c"}]
    assert keyed["unexpected_index_column_names"] == ["key"]


def test_pairs_are_listed_as_pairs_and_records_by_name() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [1, 3]})
    pair = result(
        "COMPLETE", {"type": "expect_column_pair_values_to_be_equal", "column_A": "a", "column_B": "b"}, frame
    )
    assert pair["unexpected_list"] == [[2, 3]]
    record = {"type": "expect_multicolumn_values_to_be_equal", "column_list": ["a", "b"]}
    assert result("COMPLETE", record, frame)["unexpected_list"] == [{"a": 2, "b": 3}]


def test_rows_that_are_kept_carry_no_number() -> None:
    verdict = validate(FRAME, [NOT_2], result_format="COMPLETE")
    assert verdict.kept.collect().columns == ["x", "key"]
    assert verdict.refused.collect().columns == ["x", "key", "_reasons"]


def test_the_most_common_values_come_first() -> None:
    frame = pd.DataFrame({"x": [3, 1, 2, 2]})
    rule = {"type": "expect_column_values_to_be_in_set", "column": "x", "value_set": [9]}
    assert result("SUMMARY", rule, frame)["partial_unexpected_counts"] == [
        {"value": 2, "count": 2},
        {"value": 1, "count": 1},
        {"value": 3, "count": 1},
    ]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [("COMPLET", "result_format: wanted BOOLEAN_ONLY"), ({"result_fmt": "BASIC"}, "(nearest: result_format)")],
)
def test_a_format_that_is_none_is_said(given: Any, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(FRAME, [NOT_2], result_format=given)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, None, float("nan")], "Int64"),
        ([1, 2.5, None], "Float64"),
        ([datetime.fromisoformat("2026-01-01"), pd.NaT], "Datetime"),
        ([timedelta(days=1), None], "Duration"),
        ([Decimal("1.50"), None], "Decimal"),
        ([1, "1", None], "Struct"),
        ([True, 1], "Struct"),
        ([None, None], "Null"),
    ],
)
def test_a_column_of_objects_is_taken_as_it_is(values: list[Any], dtype: str) -> None:
    column = frame_from(pd.DataFrame({"x": pd.Series(values, dtype=object)})).collect()["x"]
    assert str(column.dtype).startswith(dtype)
    assert column.null_count() == sum(bool(pd.isna(value)) for value in values)


def test_a_column_of_several_types_can_be_told_apart_and_asked_for_in_a_condition() -> None:
    frame = pd.DataFrame({"x": [2, "2", 2, None], "y": [1, 2, 3, 4]})
    unique = result("COMPLETE", {"type": "expect_column_values_to_be_unique", "column": "x"}, frame)
    assert (unique["unexpected_count"], unique["missing_count"]) == (2, 1)
    about = {"type": "expect_table_row_count_to_equal", "value": 1, "row_condition": 'x == "2"'}
    assert result("BASIC", about, frame)["observed_value"] == 1


def test_values_of_several_types_equal_those_of_their_own_type() -> None:
    frame = pd.DataFrame({"x": [1, 2, 3], "y": pd.Series([1, "2", "abc"], dtype=object)})
    pair = {"type": "expect_column_pair_values_to_be_equal", "column_A": "x", "column_B": "y"}
    assert result("BASIC", pair, frame)["unexpected_count"] == 2
