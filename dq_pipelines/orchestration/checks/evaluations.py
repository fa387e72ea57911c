"""Evaluations of checks that the step itself ties to a partition and a materialization; else Dagster does so."""

from __future__ import annotations

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData


def check_of(result: dg.AssetCheckResult) -> dg.AssetCheckKey:
    """The check that a result is of."""
    if result.asset_key is None or result.check_name is None:
        raise ValueError(f"wanted a result that names its check, got {result}")
    return dg.AssetCheckKey(result.asset_key, result.check_name)


def evaluation(
    context: dg.AssetExecutionContext,
    result: dg.AssetCheckResult,
    partition: str | None,
    judged: AssetCheckEvaluationTargetMaterializationData | None = None,
) -> dg.AssetCheckEvaluation:
    """The result as an evaluation of a partition, and of the materialization that it judged; of none where nothing was."""
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
