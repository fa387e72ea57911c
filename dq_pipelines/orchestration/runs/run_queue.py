"""Which run of a table is under way, and the tags by which Dagster's queue has runs of one table take turns.

Runs of a table take turns at its claim anyway. One that is launched meanwhile would hold a place of the queue while it waits,
and a few of them would keep every other table from running. `dagster.yaml` limits runs by these tags, so they wait in the queue.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.dagster_run import RunRecord

from dq_pipelines.orchestration.runs.run_partition import may_be_about
from dq_pipelines.project import Table

#: On a run of one table: its name. On a run of several: that it is.
TABLE_TAG, TABLES_TAG, SEVERAL = "dq/table", "dq/tables", "several"
#: On a run that was launched while another was under way: that one's id.
BEHIND_TAG = "dq/waits_behind"

_STATUS = dg.DagsterRunStatus
#: Runs that have not begun to look what is new.
WAITING = (_STATUS.NOT_STARTED, _STATUS.QUEUED)
UNDER_WAY = (*WAITING, _STATUS.STARTING, _STATUS.STARTED, _STATUS.CANCELING)
#: A run that was made and not queued within that time was left by a process that died; run monitoring ends it later.
_FORGOTTEN = timedelta(minutes=1)


def queue_tags(tables: Collection[str]) -> dict[str, str]:
    """The tags of a run of the tables with these names; none of a run of no table."""
    if len(tables) == 1:
        return {TABLE_TAG: next(iter(tables))}
    return {TABLES_TAG: SEVERAL} if tables else {}


def run_under_way(
    instance: dg.DagsterInstance,
    table: Table,
    partition: str | None = None,
    statuses: Iterable[dg.DagsterRunStatus] = UNDER_WAY,
) -> dg.DagsterRun | None:
    """A run of this table, or of this partition of it where one is given, that is queued, started or waiting; the oldest."""
    wanted = list(statuses)
    filters = [
        dg.RunsFilter(statuses=wanted, tags={TABLE_TAG: table.name}),
        dg.RunsFilter(statuses=wanted, tags={TABLES_TAG: SEVERAL}),
        # `dagster asset materialize` and Dagster's own launchpad write no tags.
        dg.RunsFilter(statuses=[status for status in wanted if status != _STATUS.QUEUED]),
    ]
    found = {record.dagster_run.run_id: record for each in filters for record in instance.get_run_records(each)}
    about = [record for record in found.values() if _is_about(record, table, partition, instance)]
    first = min(about, key=lambda record: record.create_timestamp, default=None)
    return None if first is None else first.dagster_run


def _is_about(record: RunRecord, table: Table, partition: str | None, instance: dg.DagsterInstance) -> bool:
    run = record.dagster_run
    if run.status == _STATUS.NOT_STARTED and datetime.now(UTC) - record.create_timestamp > _FORGOTTEN:
        return False
    if run.asset_selection is not None:
        if not any("/".join(key.path) in table.assets for key in run.asset_selection):
            return False
    elif run.tags.get(TABLE_TAG) != table.name and run.job_name != f"domain__{table.domain}":
        return False
    return partition is None or partition in may_be_about(table, run.tags, instance)
