"""Great Expectations on a pandas frame, its default engine; decimals as floats, since pandas knows none."""

from __future__ import annotations

from datetime import date
from typing import Any

import great_expectations as gx
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from dq_pipelines_tests.benchmarks.suite import RULES, Found


def judge(path: str) -> Found:
    table = parquet.read_table(path)
    schema = pa.schema(
        field.with_type(pa.float64()) if pa.types.is_decimal(field.type) else field for field in table.schema
    )
    frame: pd.DataFrame = table.cast(schema).to_pandas()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    batch = (
        context.data_sources.add_pandas("bench").add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")
    )
    # The verdict has an order of its own: each rule carries its number.
    rules = [
        {"type": kind, "kwargs": _dates(kwargs), "meta": {"number": number}}
        for number, (kind, kwargs) in enumerate(RULES)
    ]
    suite = gx.ExpectationSuite("bench", expectations=rules)
    verdict = batch.get_batch({"dataframe": frame}).validate(suite, result_format="BASIC")
    ordered = sorted(verdict.results, key=_number)
    return [_found(result) for result in ordered]


def _number(result: Any) -> int:
    return int(result.expectation_config.meta["number"])


def _found(result: Any) -> int | bool | None:
    if result.exception_info.get("raised_exception"):
        return None
    count = result.result.get("unexpected_count")
    return bool(result.success) if count is None else int(count)


def _dates(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Bounds of dates as dates: pandas compares no text with them."""
    dated = str(kwargs.get("column")).endswith("date")
    return {
        key: date.fromisoformat(value) if dated and key.endswith("_value") else value for key, value in kwargs.items()
    }
