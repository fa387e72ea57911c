"""Rules on types ask pandas itself, and of a column of its objects each value; GX's own answers stand beside ours."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from dq_pipelines.engine.validate import validate
from dq_pipelines.errors import ConfigError
from dq_pipelines.rules import rule_from

OF_TYPE, IN_TYPES = "expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list"
FRAME = pd.DataFrame(
    {
        "number": [1, 2, 3],
        "nullable": pd.Series([1, 2, None], dtype="Int64"),
        "text": pd.Series(["a", "b", None], dtype="str"),
        "moment": pd.to_datetime(["2026-01-01"] * 3),
        "zoned": pd.to_datetime(["2026-01-01"] * 3, utc=True),
        "objects": pd.Series(["a", 1, None], dtype=object),
        "texts": pd.Series(["a", "b", None], dtype=object),
        "day": pd.Series([date(2026, 1, 1)] * 3, dtype=object),
        "amount": pd.Series([Decimal("1.50")] * 3, dtype=object),
    }
).set_axis(["x", "y", "z"])


def found(rule: dict[str, Any], result_format: Any = "COMPLETE") -> dict[str, Any]:
    (result,) = validate(FRAME, [rule], result_format=result_format).to_json_dict()["results"]
    return {"success": result["success"], **result["result"]}


@pytest.mark.parametrize(
    ("column", "name", "success", "observed"),
    [
        ("number", "int64", True, "int64"),
        ("number", "int", True, "int64"),
        ("number", "bigint", True, "int64"),
        ("number", "float", False, "int64"),
        ("nullable", "int64", True, "int64"),
        ("nullable", "Int64Dtype", False, "int64"),
        ("text", "str", True, "str"),
        ("text", "VARCHAR", True, "str"),
        ("moment", "datetime64", True, "datetime64"),
        ("moment", "Timestamp", False, "datetime64"),
        ("zoned", "Timestamp", True, "Timestamp"),
        ("zoned", "datetime64", False, "Timestamp"),
        ("texts", "object", True, "object_"),
        ("texts", "O", True, "object_"),
    ],
)
def test_a_column_is_of_the_type_that_pandas_says(column: str, name: str, success: bool, observed: str) -> None:
    assert found({"type": OF_TYPE, "column": column, "type_": name}) == {"success": success, "observed_value": observed}


@pytest.mark.parametrize(
    ("column", "names", "unexpected"),
    [
        ("objects", ["str"], [1]),
        ("objects", ["int"], ["a"]),
        ("objects", ["str", "int"], []),
        ("texts", ["bool"], ["a", "b"]),
    ],
)
def test_of_a_column_of_objects_each_value_is_asked(column: str, names: list[str], unexpected: list[Any]) -> None:
    result = found({"type": IN_TYPES, "column": column, "type_list": names})
    assert result["unexpected_list"] == result["partial_unexpected_list"] == unexpected
    assert (result["element_count"], result["missing_count"], result["unexpected_count"]) == (3, 1, len(unexpected))
    assert result["success"] == (not unexpected)
    assert "observed_value" not in result


def test_objects_fail_by_share_within_the_condition_and_at_their_own_place() -> None:
    rule = {"type": OF_TYPE, "column": "objects", "type_": "str"}
    assert found({**rule, "mostly": 0.5})["success"]
    assert found(rule)["unexpected_index_list"] == ["y"]
    about = found({**rule, "row_condition": "number > 1"})
    assert (about["element_count"], about["missing_count"], about["unexpected_count"]) == (2, 1, 1)
    assert found({**rule, "row_condition": "number < 2"})["success"]


def test_a_list_of_no_types_takes_every_type() -> None:
    assert found({"type": IN_TYPES, "column": "objects", "type_list": None})["success"]


def test_what_pandas_has_no_name_for_is_judged_by_ours() -> None:
    assert found({"type": OF_TYPE, "column": "day", "type_": "date"})["success"]
    assert found({"type": OF_TYPE, "column": "amount", "type_": "decimal"})["success"]
    assert not found({"type": OF_TYPE, "column": "day", "type_": "decimal"})["success"]


@pytest.mark.parametrize(
    ("column", "name", "success", "observed"),
    [
        ("number", "int64", True, "int64"),
        ("nullable", "int64", False, "Int64"),
        ("nullable", "Int64", True, "Int64"),
        ("text", "str", True, "str"),
        ("text", "string", False, "str"),
        ("moment", "datetime64", True, str(FRAME["moment"].dtype)),
        ("texts", "object", True, "object"),
        ("number", "BIGINT", True, "int64"),
    ],
)
def test_a_column_itself_is_called_as_pandas_calls_it(column: str, name: str, success: bool, observed: str) -> None:
    rule = {"type": "expect_column_type_to_be", "column": column, "type_": name}
    assert found(rule) == {"success": success, "observed_value": observed}


CROSSED: list[tuple[str, dict[str, Any]]] = [
    ("expect_column_values_to_be_between", {"column": "number"}),
    ("expect_column_value_lengths_to_be_between", {"column": "text"}),
    ("expect_column_min_to_be_between", {"column": "number"}),
    ("expect_table_column_count_to_be_between", {}),
]


@pytest.mark.parametrize(("name", "kwargs"), CROSSED)
def test_bounds_that_cross_fail_outside_a_project_as_in_gx_and_are_refused_within(
    name: str, kwargs: dict[str, Any]
) -> None:
    rule = {"type": name, **kwargs, "min_value": 3, "max_value": 1}
    assert not found(rule)["success"]
    with pytest.raises(ConfigError, match=r"min_value \(3\) cannot be greater than max_value \(1\)"):
        rule_from(rule)


@pytest.mark.parametrize("verb", ["be_in", "contain", "equal"])
def test_distinct_values_are_listed_in_complete_alone(verb: str) -> None:
    rule = {"type": f"expect_column_distinct_values_to_{verb}_set", "column": "text", "value_set": ["a", "b"]}
    complete = found(rule)
    assert complete["observed_value"] == ["a", "b"]
    assert complete["details"]["value_counts"] == [{"value": "a", "count": 1}, {"value": "b", "count": 1}]
    assert complete["success"] is found(rule, "SUMMARY")["success"] is True
    assert found(rule, "SUMMARY")["observed_value"] is None
    assert not found({**rule, "value_set": ["c"]})["success"]


@pytest.mark.parametrize(
    ("value_set", "unexpected"), [(["a"], 1), ([1.0], 1), (["a", 1], 0), (["1"], 2), ([None], 2), ([], 2)]
)
def test_objects_are_in_a_set_each_by_its_own_type(value_set: list[Any], unexpected: int) -> None:
    rule = {"type": "expect_column_values_to_be_in_set", "column": "objects", "value_set": value_set}
    assert found(rule)["unexpected_count"] == unexpected


def test_a_pair_of_objects_and_numbers_is_equal_by_value() -> None:
    frame = pd.DataFrame({"a": pd.Series([1, 2, "x"], dtype=object), "b": [1.0, 2.0, None]})
    rule = {
        "type": "expect_column_pair_values_to_be_equal",
        "column_A": "a",
        "column_B": "b",
        "ignore_row_if": "either_value_is_missing",
    }
    assert validate(frame, [rule]).success
