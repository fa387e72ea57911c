"""Defines jobs over assets and checks: per domain, per partitioned table, and per table for its checks alone."""

from __future__ import annotations

import dagster as dg

from dq_pipelines.orchestration.checks.rule_checks import asset_key
from dq_pipelines.orchestration.jobs.asset_job import AssetJob, assets_of
from dq_pipelines.orchestration.runs.run_partition import has_partitions
from dq_pipelines.orchestration.runs.run_queue import queue_tags
from dq_pipelines.project import Project


def jobs(project: Project) -> list[AssetJob]:
    """Returns a job per domain, one per partitioned table, and one per table that runs its checks alone."""
    return [*_domain_jobs(project), *_partitioned_jobs(project), *_check_jobs(project)]


def _domain_jobs(project: Project) -> list[AssetJob]:
    # A run of partitioned assets names a partition or a range, so such tables have their own jobs.
    jobs = []
    for domain in project.domains:
        tables = [table for table in project if table.domain == domain and not has_partitions(table)]
        if tables:
            tags = queue_tags([table.name for table in tables])
            about = f"Every table of {domain}"
            jobs.append(AssetJob(f"domain__{domain}", assets_of(*tables), description=about, tags=tags))
    return jobs


def _partitioned_jobs(project: Project) -> list[AssetJob]:
    return [
        AssetJob(
            f"table__{table.name}",
            assets_of(table),
            description=f"One partition of {table.name}, or a range of them",
            tags=queue_tags([table.name]),
        )
        for table in project
        if has_partitions(table)
    ]


def _check_jobs(project: Project) -> list[AssetJob]:
    return [
        AssetJob(
            f"checks__{table.name}",
            dg.AssetSelection.checks_for_assets(asset_key(table.key)),
            description=f"Runs the rules of {table.key} on the published table; nothing is materialized",
        )
        for table in project
        if table.rules or table.anomalies or not table.is_gold
    ]
