"""Builds check evaluations with an explicit partition and target materialization.

Dagster ties an `AssetCheckResult` to the newest materialization of the asset, which is not always the judged one.
"""

from __future__ import annotations

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData


def check_of(result: dg.AssetCheckResult) -> dg.AssetCheckKey:
    """Returns the key of a result's check. Raises ValueError for a result without asset key or check name."""
    if result.asset_key is None or result.check_name is None:
        raise ValueError(f"wanted a result that names its check, got {result}")
    return dg.AssetCheckKey(result.asset_key, result.check_name)


def evaluation(
    context: dg.AssetExecutionContext,
    result: dg.AssetCheckResult,
    partition: str | None,
    judged: AssetCheckEvaluationTargetMaterializationData | None = None,
) -> dg.AssetCheckEvaluation:
    """Converts a check result to an evaluation of `partition` and of the materialization `judged` (None: of none)."""
    check = context.assets_def.get_spec_for_check_key(check_of(result))
    return dg.AssetCheckEvaluation(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=result.passed,
        metadata=result.metadata,
        target_materialization_data=judged,
        severity=result.severity,
        description=result.description,
        blocking=check.blocking,
        partition=partition,
    )
