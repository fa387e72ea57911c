"""Builds the Dagster assets: one `multi_asset` per table, with a check per rule.

The step that runs them is in `steps/step.py`.
"""

# No `from __future__ import annotations` here: Dagster reads the context's annotation as it stands.
from collections.abc import Iterator
from typing import Any

import dagster as dg

from dq_pipelines.orchestration.automation_condition import when_published
from dq_pipelines.orchestration.checks.anomaly_checks import anomaly_specs
from dq_pipelines.orchestration.checks.freshness import freshness_policy
from dq_pipelines.orchestration.checks.metadata import declared_schema, kinds, spec_metadata, tags
from dq_pipelines.orchestration.checks.rule_checks import asset_key, check_specs
from dq_pipelines.orchestration.console_links import table_link
from dq_pipelines.orchestration.partitions_definition import partitions_definition
from dq_pipelines.orchestration.steps.partition_range import RangeEvent, landed_partitions
from dq_pipelines.orchestration.steps.step import TableStep, Yielded
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.pipeline.silver.modes import INCREMENTAL, RERUN
from dq_pipelines.project import GoldTable, Project, Table

_MODE = dg.Field(
    dg.Enum("Mode", [dg.EnumValue(INCREMENTAL), dg.EnumValue(RERUN)]),
    default_value=INCREMENTAL,
    description="incremental: process new inputs only; rerun: judge all of bronze (or of the partition) again",
)


def table_assets(project: Project, stores: Stores) -> list[dg.AssetsDefinition]:
    """Returns one definition per table: bronze, silver and quarantine, or gold, with the checks of its rules."""
    return [_gold_asset(table, stores) if table.is_gold else _landed_asset(table, stores) for table in project]


def _landed_asset(table: Table, stores: Stores) -> dg.AssetsDefinition:
    bronze, silver, quarantine = map(asset_key, table.assets)
    upstream = [asset_key(key) for key in table.upstream]
    specs = [
        _spec(table, bronze, f"Rows of {table.name} as they landed, append-only"),
        _spec(table, silver, table.model.description, [bronze, *upstream], declared_schema(table)),
        _spec(table, quarantine, f"Rows that {table.name}'s rules refused, with their reasons", [bronze, *upstream]),
    ]

    @dg.multi_asset(
        name=table.name,
        specs=specs,
        check_specs=[*check_specs(table), *anomaly_specs(table)],
        can_subset=True,
        partitions_def=partitions_definition(table),
        config_schema={"mode": _MODE},
        pool=f"table_{table.name}",
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def landed(context: dg.AssetExecutionContext) -> Iterator[Yielded | RangeEvent]:
        yield from landed_partitions(context, table, stores)

    return landed


def _gold_asset(table: Table, stores: Stores) -> dg.AssetsDefinition:
    sql = table.gold.sql
    spec = _spec(
        table,
        asset_key(table.key),
        table.model.description,
        [asset_key(key) for key in table.upstream],
        {"sql": dg.MetadataValue.md(f"```sql\n{sql.strip()}\n```")} if sql else {},
        automation_condition=when_published()
        if isinstance(table.model, GoldTable) and table.model.automation == "eager"
        else None,
    )

    @dg.multi_asset(
        name=table.name,
        specs=[spec],
        check_specs=[*check_specs(table), *anomaly_specs(table)],
        can_subset=True,
        pool=f"table_{table.name}",
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def computed(context: dg.AssetExecutionContext) -> Iterator[Yielded]:
        yield from TableStep(context, table, stores).gold()

    return computed


def _spec(
    table: Table,
    key: dg.AssetKey,
    description: str | None,
    deps: list[dg.AssetKey] | None = None,
    metadata: dict[str, Any] | None = None,
    **more: Any,
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        deps=deps or [],
        description=description,
        group_name=table.domain,
        owners=list(table.model.owners),
        tags=tags(table),
        kinds=kinds(table, key.path[0]),
        metadata={**spec_metadata(table), **table_link(table.key), **(metadata or {})},
        freshness_policy=freshness_policy(table) if key == asset_key(table.key) else None,
        skippable=True,
        **more,
    )
