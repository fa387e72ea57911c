"""Finds runs whose process has died while Dagster still lists them as started, and marks them as failed.

Dagster's own launcher asks only the process that started the run, which may be gone too. Without this, such a run keeps
its place in the queue, and its table, forever.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import dagster as dg

from dq_pipelines.config.stores import is_remote
from dq_pipelines.history.store.attempts import Attempt, Attempts
from dq_pipelines.lake.table_lock import is_claimed
from dq_pipelines.orchestration.runs.run_queue import TABLE_TAG
from dq_pipelines.pipeline.runtime.dead_attempts import KILLED
from dq_pipelines.pipeline.runtime.processes import is_gone
from dq_pipelines.pipeline.runtime.stores import Stores

#: Seconds without an event after which a run with a killed step counts as dead.
_SILENT = 15.0
#: Seconds without an event after which a run on another machine counts as lost, if no process holds its table's lock.
#: The second is for object stores, which have no locks. A working run reports progress every second.
_LOST, _LOST_REMOTE = 600.0, 3600.0

#: The statuses of runs that have a process.
WITH_PROCESS = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def started_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Returns the runs that have a process according to Dagster."""
    return list(instance.get_runs(dg.RunsFilter(statuses=list(WITH_PROCESS))))


def dead_runs(instance: dg.DagsterInstance, stores: Stores, runs: Iterable[dg.DagsterRun]) -> Iterator[dg.DagsterRun]:
    """Yields those of the `started_runs` on tables whose process is dead.

    On this machine, the recorded attempts name the process. On other machines, a long silence decides. With a process
    per step, a run continues after one of them was killed, and logs events.
    """
    if not stores.history.is_begun:
        return
    attempts = Attempts(stores.history)
    for run in runs:
        of_run = attempts.of_run(run.run_id)
        if not of_run and (TABLE_TAG not in run.tags or run.status != dg.DagsterRunStatus.STARTED):
            continue  # not a run of our tables, or about to begin
        silent = _silence(instance, run.run_id)
        if (any(map(_was_killed, of_run)) and silent > _SILENT) or (
            silent > (_LOST_REMOTE if is_remote(stores.lake.root) else _LOST) and _is_lost(of_run, stores)
        ):
            yield run


def end_dead_run(instance: dg.DagsterInstance, run_id: str, message: str = KILLED) -> bool:
    """Marks a run as failed in Dagster, or as cancelled where that was requested. Returns whether it was still started."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.status not in WITH_PROCESS:
        return False
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, message)
    return True


def _was_killed(attempt: Attempt) -> bool:
    return is_gone(attempt.process) and (not attempt.is_over or attempt.said == KILLED)


def _is_lost(of_run: Sequence[Attempt], stores: Stores) -> bool:
    """Whether a run has not begun its step, or no process holds the lock of its table (for example, its container is gone)."""
    tables = [attempt.table.partition("/")[2] for attempt in of_run if not attempt.is_over]
    return bool(tables or not of_run) and not any(is_claimed(stores.lake, table) for table in tables)


def _silence(instance: dg.DagsterInstance, run_id: str) -> float:
    """Returns the seconds since the run's last event."""
    last = instance.get_records_for_run(run_id, limit=1, ascending=False).records
    return time.time() - last[0].event_log_entry.timestamp if last else float("inf")
