"""Finds the unfinished run of a table, and defines the tags by which Dagster's queue runs a table once at a time.

The table lock serializes runs of a table too. But a run that waits for the lock occupies a slot of the queue, and a few
of them would block all other tables. `dagster.yaml` limits runs by these tags, so they wait in the queue instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.dagster_run import RunRecord

from dq_pipelines.orchestration.runs.run_partition import partitions_named
from dq_pipelines.project import Table

#: Tag of a run of one table, with its name; tag and value of a run of several tables.
TABLE_TAG, TABLES_TAG, SEVERAL = "dq/table", "dq/tables", "several"
#: Tag of a run that was launched while another was unfinished, with that run's id.
BEHIND_TAG = "dq/waits_behind"

_STATUS = dg.DagsterRunStatus
#: Statuses of runs that have not listed their inputs yet.
WAITING = (_STATUS.NOT_STARTED, _STATUS.QUEUED)
UNDER_WAY = (*WAITING, _STATUS.STARTING, _STATUS.STARTED, _STATUS.CANCELING)
#: A run that is not queued within this time was left by a dead process. Run monitoring ends it later.
_FORGOTTEN = timedelta(minutes=1)


def queue_tags(tables: Collection[str]) -> dict[str, str]:
    """Returns the queue tags of a run of these tables (by name); {} for a run of no table."""
    if len(tables) == 1:
        return {TABLE_TAG: next(iter(tables))}
    return {TABLES_TAG: SEVERAL} if tables else {}


def run_under_way(
    instance: dg.DagsterInstance,
    table: Table,
    partition: str | None = None,
    statuses: Iterable[dg.DagsterRunStatus] = UNDER_WAY,
) -> dg.DagsterRun | None:
    """Returns the oldest unfinished run of a table, or of one of its partitions; None without one."""
    wanted = list(statuses)
    filters = [
        dg.RunsFilter(statuses=wanted, tags={TABLE_TAG: table.name}),
        dg.RunsFilter(statuses=wanted, tags={TABLES_TAG: SEVERAL}),
        # `dagster asset materialize` and Dagster's own launchpad write no tags.
        dg.RunsFilter(statuses=[status for status in wanted if status != _STATUS.QUEUED]),
    ]
    records = {record.dagster_run.run_id: record for each in filters for record in instance.get_run_records(each)}
    runs = [record for record in records.values() if _concerns(record, table, partition, instance)]
    oldest = min(runs, key=lambda record: record.create_timestamp, default=None)
    return None if oldest is None else oldest.dagster_run


def _concerns(record: RunRecord, table: Table, partition: str | None, instance: dg.DagsterInstance) -> bool:
    run = record.dagster_run
    if run.status == _STATUS.NOT_STARTED and datetime.now(UTC) - record.create_timestamp > _FORGOTTEN:
        return False
    if run.asset_selection is not None:
        if not any("/".join(key.path) in table.assets for key in run.asset_selection):
            return False
    elif run.tags.get(TABLE_TAG) != table.name and run.job_name != f"domain__{table.domain}":
        return False
    return partition is None or partition in partitions_named(table, run.tags, instance)
