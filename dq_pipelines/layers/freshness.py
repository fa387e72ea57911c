"""Dagster's freshness: the policy of a table, and the check of one with daily partitions."""

from __future__ import annotations

import warnings

import dagster as dg

from dq_pipelines.layers.checks import asset_key
from dq_pipelines.project import Project, Table

#: What runs the checks of daily tables, once for each deadline.
SENSOR = "freshness_checks_sensor"


def freshness_policy(table: Table) -> dg.FreshnessPolicy | None:
    """The policy of the published table; None without `freshness`, and with daily partitions, which have a check."""
    wanted = table.model.freshness
    if wanted is None or table.is_daily:
        return None
    within = wanted.length(wanted.within)
    if wanted.cron is not None:
        return dg.FreshnessPolicy.cron(wanted.cron, within, wanted.timezone)
    return dg.FreshnessPolicy.time_window(within, wanted.length(wanted.warn_within) or None)


def freshness_checks(project: Project) -> list[dg.AssetChecksDefinition]:
    """A check for each table of daily partitions with `freshness`: the partition of the last deadline's day is there."""
    found: list[dg.AssetChecksDefinition] = []
    for table in project:
        wanted = table.model.freshness
        if wanted is None or wanted.cron is None or not table.is_daily:
            continue
        with warnings.catch_warnings():
            # Dagster names policies as their successors, which know nothing of partitions.
            warnings.simplefilter("ignore", dg.SupersessionWarning)
            found += dg.build_time_partition_freshness_checks(
                assets=[asset_key(table.key)], deadline_cron=wanted.cron, timezone=wanted.timezone
            )
    return found


def freshness_sensors(checks: list[dg.AssetChecksDefinition]) -> list[dg.SensorDefinition]:
    """The sensor that runs these checks; none without checks."""
    if not checks:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.SupersessionWarning)
        return [
            dg.build_sensor_for_freshness_checks(
                freshness_checks=checks, name=SENSOR, default_status=dg.DefaultSensorStatus.RUNNING
            )
        ]
