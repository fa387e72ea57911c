"""Defines freshness policies, and freshness checks with their schedules for tables with daily partitions."""

# No `from __future__ import annotations` here: Dagster reads the context's annotation as it stands.

from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg

from dq_pipelines.config.cron import last_tick
from dq_pipelines.orchestration.checks.rule_checks import asset_key
from dq_pipelines.pipeline.bronze.input_partitions import day_due
from dq_pipelines.pipeline.standalone_checks import FRESHNESS as CHECK
from dq_pipelines.project import Project, Table
from dq_pipelines.project.lifecycle import Freshness
from dq_pipelines.rules.core import clock


def freshness_policy(table: Table) -> dg.FreshnessPolicy | None:
    """Returns the policy of the published table; None without `freshness` or with daily partitions (they have a check)."""
    wanted = table.model.freshness
    if wanted is None or table.is_daily:
        return None
    within = wanted.length(wanted.within)
    if wanted.cron is not None:
        return dg.FreshnessPolicy.cron(wanted.cron, within, wanted.timezone)
    return dg.FreshnessPolicy.time_window(within, wanted.length(wanted.warn_within) or None)


def freshness_checks(project: Project) -> list[dg.AssetChecksDefinition]:
    """Returns a check for each table with daily partitions and `freshness`.

    It passes when the partition of the day before the last deadline is materialized. Dagster's
    `build_time_partition_freshness_checks` expects the day of the deadline itself, because our partitions include the
    current day: files of a day may land on that day.
    """
    return [_check(table, wanted) for table, wanted in _daily(project)]


def freshness_schedules(project: Project) -> list[dg.ScheduleDefinition]:
    """Returns a schedule for each freshness check, which runs it at each deadline."""
    return [
        dg.ScheduleDefinition(
            f"{table.name}_freshness_schedule",
            cron_schedule=wanted.cron,
            execution_timezone=wanted.timezone,
            job=dg.define_asset_job(f"freshness__{table.name}", dg.AssetSelection.checks(_key(table))),
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=f"Checks at {wanted.cron} ({wanted.timezone}) that {table.key} has the partition of the day before",
        )
        for table, wanted in _daily(project)
    ]


def _daily(project: Project) -> list[tuple[Table, Freshness]]:
    tables = [(table, table.model.freshness) for table in project if table.is_daily]
    return [(table, wanted) for table, wanted in tables if wanted is not None and wanted.cron is not None]


def _key(table: Table) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(asset_key(table.key), CHECK)


def _check(table: Table, wanted: Freshness) -> dg.AssetChecksDefinition:
    about = f"By {wanted.cron} ({wanted.timezone}) the partition of the day before is materialized"

    @dg.asset_check(asset=asset_key(table.key), name=CHECK, description=about)
    def fresh(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        deadline = last_tick(str(wanted.cron), clock.now().astimezone(ZoneInfo(wanted.timezone)))
        return _result(table, deadline, context.instance)

    return fresh


def _result(table: Table, deadline: datetime | None, instance: dg.DagsterInstance) -> dg.AssetCheckResult:
    day = None if deadline is None else day_due(table, deadline)
    if deadline is None or day is None:
        return dg.AssetCheckResult(passed=True, description="no deadline has passed since the first day")
    records = dg.AssetRecordsFilter(asset_key(table.key), asset_partitions=[day.isoformat()])
    is_materialized = bool(instance.fetch_materializations(records, limit=1).records)
    return dg.AssetCheckResult(
        passed=is_materialized,
        description=f"{day.isoformat()} {'was' if is_materialized else 'is not'} materialized; the deadline was {deadline.isoformat()}",
        metadata={"partition": day.isoformat(), "deadline": dg.MetadataValue.timestamp(deadline)},
    )
