"""Finds tables that were not published in time after their schedule, because no run came or it has not finished."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._utils.schedules import reverse_cron_string_iterator

from dq_pipelines.monitoring.alerts.opening import Finding
from dq_pipelines.orchestration.checks.rule_checks import asset_key
from dq_pipelines.project import Project


def overdue(
    instance: dg.DagsterInstance, project: Project, lateness: timedelta, failing: Collection[str], now: datetime
) -> Iterator[Finding]:
    """Yields a finding for each table with a `schedule`: whether it was published since the schedule was last due.

    Tables that were never published, and those in `failing`, are left out: the failed run is a finding itself. A run
    that found nothing new counts as a publication.
    """
    for table in project:
        if table.model.schedule is None or table.key in failing:
            continue
        last = instance.get_latest_materialization_event(asset_key(table.key))
        if last is None:
            continue
        due = _last_due(table.model.schedule, table.model.timezone, now - lateness)
        published = datetime.fromtimestamp(last.timestamp, UTC)
        message = f"due at {due:%Y-%m-%d %H:%M} UTC, last published at {published:%Y-%m-%d %H:%M} UTC"
        yield Finding("freshness_missed", table.key, published >= due, said=message)


def _last_due(cron: str, zone: str, before: datetime) -> datetime:
    return next(iter(reverse_cron_string_iterator(before.timestamp(), cron, zone))).astimezone(UTC)
