"""Runs whose process is gone, while Dagster still calls them started: they are told to have failed.

Dagster's own launcher asks only the process that started a run, and nobody when that is gone too. Without this such a run
keeps its place in the queue, and its table, for ever.
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

#: Seconds without an event of a run after which a step of it that was killed was all of it.
_SILENT = 15.0
#: Seconds without an event of a run, whose process nobody here can look at, after which it is lost, if nobody holds the claim to
#: its table; and in an object store, which has no claims. A run that works tells its progress every second.
_LOST, _LOST_REMOTE = 600.0, 3600.0

#: A run in one of these has a process.
WITH_PROCESS = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def under_way(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs that have a process, as far as Dagster knows."""
    return list(instance.get_runs(dg.RunsFilter(statuses=list(WITH_PROCESS))))


def dead_runs(instance: dg.DagsterInstance, stores: Stores, runs: Iterable[dg.DagsterRun]) -> Iterator[dg.DagsterRun]:
    """Of runs `under_way` those of tables whose process has ended: as their attempts say, or, of other machines, since nobody hears of them.

    Where steps have processes of their own, a run goes on after one of them was killed, and says so.
    """
    if not stores.history.is_begun:
        return
    attempts = Attempts(stores.history)
    for run in runs:
        of_run = attempts.of_run(run.run_id)
        if not of_run and (TABLE_TAG not in run.tags or run.status != dg.DagsterRunStatus.STARTED):
            continue  # of tables of somebody else's, or about to begin
        silent = _silence(instance, run.run_id)
        if (any(map(_was_killed, of_run)) and silent > _SILENT) or (
            silent > (_LOST_REMOTE if is_remote(stores.lake.root) else _LOST) and _is_lost(of_run, stores)
        ):
            yield run


def end_dead_run(instance: dg.DagsterInstance, run_id: str, said: str = KILLED) -> bool:
    """Have Dagster call a run failed, or cancelled where it was to be; whether it was still under way."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.status not in WITH_PROCESS:
        return False
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, said)
    else:
        instance.report_run_failed(run, said)
    return True


def _was_killed(attempt: Attempt) -> bool:
    return is_gone(attempt.process) and (not attempt.is_over or attempt.said == KILLED)


def _is_lost(of_run: Sequence[Attempt], stores: Stores) -> bool:
    """Whether a run has not begun its step, or is at work on a table that no process works on: its container, say, is gone."""
    tables = [attempt.table.partition("/")[2] for attempt in of_run if not attempt.is_over]
    return bool(tables or not of_run) and not any(is_claimed(stores.lake, table) for table in tables)


def _silence(instance: dg.DagsterInstance, run_id: str) -> float:
    """Seconds since the run's last event."""
    last = instance.get_records_for_run(run_id, limit=1, ascending=False).records
    return time.time() - last[0].event_log_entry.timestamp if last else float("inf")
