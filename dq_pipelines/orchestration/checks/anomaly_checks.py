"""Defines asset checks for a table's anomaly rules, and turns their results into check results.

`monitoring.anomalies` decides what is an anomaly.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from dq_pipelines.history.store.verdicts import History
from dq_pipelines.monitoring.anomalies.anomaly_rule import AnomalyRule
from dq_pipelines.orchestration.checks.rule_checks import asset_key
from dq_pipelines.orchestration.console_links import check_link
from dq_pipelines.orchestration.partitions_definition import check_spec
from dq_pipelines.project import Table

if TYPE_CHECKING:
    from dq_pipelines.monitoring.anomalies.evaluation import AnomalyResult


def anomaly_specs(table: Table) -> list[dg.AssetCheckSpec]:
    """Returns one non-blocking check spec for each anomaly rule."""
    return [
        check_spec(
            table,
            rule.check,
            asset_key(table.key),
            description=rule.title,
            metadata={"rule": _as_yaml(rule), "severity": rule.severity, **check_link(table.key, rule.check)},
        )
        for rule in table.anomalies
    ]


def anomalies_of(table: Table, history: History, batch: str | None = None) -> Sequence[AnomalyResult]:
    """Returns the result of each anomaly rule for a recorded batch, or for the last one."""
    if not table.anomalies:
        return ()
    from dq_pipelines.monitoring.anomalies.evaluation import evaluate

    return [evaluate(rule, history, table.key, daily=table.is_daily, batch=batch) for rule in table.anomalies]


def anomaly_results(
    table: Table, results: Sequence[AnomalyResult], selected: Collection[dg.AssetCheckKey]
) -> Iterator[dg.AssetCheckResult]:
    """Yields the results of the selected checks."""
    for watched in results:
        if dg.AssetCheckKey(asset_key(table.key), watched.rule.check) in selected:
            alarming = watched.rule.severity == "critical"
            yield dg.AssetCheckResult(
                asset_key=asset_key(table.key),
                check_name=watched.rule.check,
                passed=watched.success,
                severity=dg.AssetCheckSeverity.ERROR if alarming else dg.AssetCheckSeverity.WARN,
                description=watched.error or watched.result().anomaly_sentence,
                metadata=_metadata(watched) | check_link(table.key, watched.rule.check),
            )


def _metadata(watched: AnomalyResult) -> dict[str, Any]:
    metadata: dict[str, Any] = {name: value for name, value in watched.observed.items() if value is not None}
    metadata |= {"severity": watched.rule.severity, "history": watched.past, "rule": _as_yaml(watched.rule)}
    if watched.points:
        point = watched.points[-1]
        metadata |= {"at": point.at.isoformat(), "batch": point.batch, "picture": _picture(watched)}
    return metadata


def _picture(watched: AnomalyResult) -> dg.MarkdownMetadataValue:
    from dq_pipelines.monitoring.anomalies.chart import chart

    drawn = base64.b64encode(chart(watched).encode()).decode()
    return dg.MetadataValue.md(f"![{watched.rule.about}](data:image/svg+xml;base64,{drawn})")


def _as_yaml(rule: AnomalyRule) -> dg.MarkdownMetadataValue:
    import yaml

    text = yaml.safe_dump(rule.model_dump(exclude_unset=True), sort_keys=False)
    return dg.MetadataValue.md(f"```yaml\n{text}```")
