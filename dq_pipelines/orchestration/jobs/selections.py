"""Defines jobs over assets and checks: per domain, per partitioned table, and per table for its checks alone."""

from __future__ import annotations

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from dq_pipelines.orchestration.checks.rule_checks import asset_key
from dq_pipelines.orchestration.runs.run_partition import has_partitions
from dq_pipelines.orchestration.runs.run_queue import queue_tags
from dq_pipelines.project import Project, Table


def assets_of(table: Table) -> dg.AssetSelection:
    """Selects all assets of a table, with their checks."""
    return dg.AssetSelection.assets(*map(asset_key, table.assets))


def jobs(project: Project) -> list[UnresolvedAssetJobDefinition]:
    """Returns a job per domain, one per partitioned table, and one per table that runs its checks alone."""
    return [*_domain_jobs(project), *_partitioned_jobs(project), *_check_jobs(project)]


def _domain_jobs(project: Project) -> list[UnresolvedAssetJobDefinition]:
    # A run of partitioned assets names a partition or a range, so such tables have their own jobs.
    jobs = []
    for domain in project.domains:
        tables = [table for table in project if table.domain == domain and not has_partitions(table)]
        if tables:
            selection = assets_of(tables[0])
            for table in tables[1:]:
                selection = selection | assets_of(table)
            tags = queue_tags([table.name for table in tables])
            jobs.append(
                dg.define_asset_job(f"domain__{domain}", selection, description=f"Every table of {domain}", tags=tags)
            )
    return jobs


def _partitioned_jobs(project: Project) -> list[UnresolvedAssetJobDefinition]:
    return [
        dg.define_asset_job(
            f"table__{table.name}",
            assets_of(table),
            description=f"One partition of {table.name}, or a range of them",
            tags=queue_tags([table.name]),
        )
        for table in project
        if has_partitions(table)
    ]


def _check_jobs(project: Project) -> list[UnresolvedAssetJobDefinition]:
    return [
        dg.define_asset_job(
            f"checks__{table.name}",
            dg.AssetSelection.checks_for_assets(asset_key(table.key)),
            description=f"Runs the rules of {table.key} on the published table; nothing is materialized",
        )
        for table in project
        if table.rules or table.anomalies or not table.is_gold
    ]
