"""Rules that Great Expectations itself judges by, on pandas, before the scan: an answer per row, or a result of the table.

GX gets the frame alone, without a data context: so it knows no files, sends nothing and shows no progress.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.rules.core.auxiliary_queries import ByGx
from dq_pipelines.rules.core.gx_expectations import RowsByGx, TableByGx

if TYPE_CHECKING:
    import pandas as pd

    from dq_pipelines.engine.backends.polars.scan import Scan

_Rule = RowsByGx | TableByGx


@dataclass(frozen=True)
class HandedOver:
    """What GX said, by the index of the rule."""

    results: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    #: per rule on rows: true where the row is as wanted, null where it was passed over
    answers: Mapping[ByGx, pl.Series] = field(default_factory=dict)

    def put_into(self, results: tuple[RuleResult, ...]) -> tuple[RuleResult, ...]:
        """The results, with those of GX in their places."""
        return tuple(
            _as_gx_says(result, self.results[index]) if index in self.results else result
            for index, result in enumerate(results)
        )


def gx_rules(scan: Scan) -> dict[int, _Rule]:
    """The rules that are GX's own, by their index."""
    return {item.index: item.rule for item in scan.plan.planned if isinstance(item.rule, _Rule) and not item.error}


def ask_gx(scan: Scan) -> HandedOver:
    """Let GX judge by the rules that are its own; nothing, and no import, where there are none."""
    rules = gx_rules(scan)
    if not rules:
        return HandedOver()
    frames = [scan.frame.select(exact_names(rule.columns_needed or scan.columns)) for rule in rules.values()]
    results, answers = {}, {}
    for (index, rule), frame in zip(rules.items(), collect_all(frames), strict=True):
        rows = frame.to_pandas()
        results[index] = found = _validated(rule.expectation, rows)
        if isinstance(rule, RowsByGx) and _error(found) is None:
            answers[rule.auxiliary_query()] = _answers(rule, rows, found["result"])
    return HandedOver(results, answers)


def _validated(expectation: Any, rows: pd.DataFrame) -> dict[str, Any]:
    from great_expectations.exceptions import exceptions
    from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
    from great_expectations.validator.validator import Validator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        validator = Validator(execution_engine=PandasExecutionEngine(batch_data_dict={"rows": rows}))
        validator.metrics_calculator.show_progress_bars = False
        try:
            (found,) = validator.graph_validate(
                configurations=[expectation.configuration],
                runtime_configuration={"result_format": {"result_format": "COMPLETE"}},
            )
        except exceptions.GreatExpectationsError as error:
            return {"success": False, "result": {}, "exception_info": {"exception_message": str(error)}}
    said: dict[str, Any] = json.loads(json.dumps(found.to_json_dict(), default=_plain))
    return said


def _plain(value: Any) -> Any:
    """A number of numpy's as Python's, and all else as text."""
    return value.item() if hasattr(value, "item") else str(value)


def _error(found: Mapping[str, Any]) -> str | None:
    """GX's exception in one line; it is told once, or once for each metric."""
    info = found.get("exception_info") or {}
    told = [info, *(value for value in info.values() if isinstance(value, Mapping))]
    messages = [str(one["exception_message"]) for one in told if one.get("exception_message")]
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


def _as_gx_says(result: RuleResult, found: Mapping[str, Any]) -> RuleResult:
    if (error := _error(found)) is not None:
        return RuleResult(result.rule, success=False, error=f"Great Expectations: {error}", engine="gx")
    if isinstance(result.rule, RowsByGx):
        return replace(result, engine="gx")
    observed = (found.get("result") or {}).get("observed_value")
    return replace(result, success=bool(found["success"]), observed_value=observed, found=found, engine="gx")
