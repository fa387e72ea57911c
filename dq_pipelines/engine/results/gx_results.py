"""Results of rules that Great Expectations has judged itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dq_pipelines.engine.gx.delegation import error_of
from dq_pipelines.engine.results.verdict import RuleResult
from dq_pipelines.rules.core.gx_expectations import RowsByGx


def with_gx_results(results: Mapping[int, RuleResult], by_gx: Mapping[int, Mapping[str, Any]]) -> dict[int, RuleResult]:
    """The results by index; those of GX, as it writes them in JSON, in their places."""
    return {index: _of_gx(one, by_gx[index]) if index in by_gx else one for index, one in results.items()}


def _of_gx(result: RuleResult, by_gx: Mapping[str, Any]) -> RuleResult:
    if (error := error_of(by_gx)) is not None:
        return RuleResult(result.rule, success=False, error=f"Great Expectations: {error}", engine="gx")
    if isinstance(result.rule, RowsByGx):
        return replace(result, engine="gx")
    observed = (by_gx.get("result") or {}).get("observed_value")
    return replace(result, success=bool(by_gx["success"]), observed_value=observed, found=by_gx, engine="gx")
