"""Rules that Great Expectations judges itself, on pandas, before the scan: an answer per row, or a result of the table.

GX gets the frame alone, without a data context: so it reads no files, sends nothing and shows no progress.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.plan import ScanPlan
from dq_pipelines.rules.core.auxiliary_queries import ByGx
from dq_pipelines.rules.core.gx_expectations import RowsByGx, TableByGx

if TYPE_CHECKING:
    import pandas as pd

_Rule = RowsByGx | TableByGx


@dataclass(frozen=True)
class GxAnswers:
    """The answers of Great Expectations."""

    #: its ExpectationValidationResult as JSON, by the index of the rule
    results: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    #: per rule on rows: true where the row is as wanted, null where it was passed over
    answers: Mapping[ByGx, pl.Series] = field(default_factory=dict)


def gx_rules(plan: ScanPlan) -> dict[int, _Rule]:
    """The rules that Great Expectations judges itself, by their index."""
    judged = [item for item in plan.planned if item.error is None and item.lacking is None]
    return {item.index: item.rule for item in judged if isinstance(item.rule, _Rule)}


def ask_gx(plan: ScanPlan, frame: pl.LazyFrame) -> GxAnswers:
    """Let Great Expectations judge by the rules that are its own. Without such rules nothing is imported."""
    rules = gx_rules(plan)
    if not rules:
        return GxAnswers()
    frames = [frame.select(exact_names(rule.columns_needed or list(plan.schema))) for rule in rules.values()]
    results, answers = {}, {}
    for (index, rule), selected in zip(rules.items(), collect_all(frames), strict=True):
        rows = selected.to_pandas()
        results[index] = result = _validated(rule.expectation, rows)
        if isinstance(rule, RowsByGx) and error_of(result) is None:
            answers[rule.auxiliary_query()] = _answers(rule, rows, result["result"])
    return GxAnswers(results, answers)


def _validated(expectation: Any, rows: pd.DataFrame) -> dict[str, Any]:
    from great_expectations.exceptions import exceptions
    from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
    from great_expectations.validator.validator import Validator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        validator = Validator(execution_engine=PandasExecutionEngine(batch_data_dict={"rows": rows}))
        validator.metrics_calculator.show_progress_bars = False
        try:
            (result,) = validator.graph_validate(
                configurations=[expectation.configuration],
                runtime_configuration={"result_format": {"result_format": "COMPLETE"}},
            )
        except exceptions.GreatExpectationsError as error:
            return {"success": False, "result": {}, "exception_info": {"exception_message": str(error)}}
    as_json: dict[str, Any] = json.loads(json.dumps(result.to_json_dict(), default=_plain))
    return as_json


def _plain(value: Any) -> Any:
    """A number of numpy's as Python's, and all else as text."""
    return value.item() if hasattr(value, "item") else str(value)


def error_of(result: Mapping[str, Any]) -> str | None:
    """The exception of a GX result in one line. GX gives it once, or once for each metric."""
    info = result.get("exception_info") or {}
    infos = [info, *(value for value in info.values() if isinstance(value, Mapping))]
    messages = [str(one["exception_message"]) for one in infos if one.get("exception_message")]
    return " ".join(messages[0].split()) if messages else None


def _answers(rule: RowsByGx, rows: pd.DataFrame, result: Mapping[str, Any]) -> pl.Series:
    answers: list[bool | None] = [True] * len(rows)
    for place in _passed_over(rule, rows, result):
        answers[place] = None
    for place in result.get("unexpected_index_list") or ():
        answers[int(place)] = False
    return pl.Series(answers, dtype=pl.Boolean)


def _passed_over(rule: RowsByGx, rows: pd.DataFrame, result: Mapping[str, Any]) -> list[int]:
    """The rows without a value to judge, as `ignore_row_if` has it; none where GX counts none."""
    if not result.get("missing_count"):
        return []
    missing = rows[list(rule.columns_judged)].isna()
    one_is_enough = str(getattr(rule.expectation, "ignore_row_if", "")) in (
        "any_value_is_missing",
        "either_value_is_missing",
    )
    flags = missing.any(axis=1) if one_is_enough else missing.all(axis=1)
    return [place for place, flag in enumerate(flags) if flag]
