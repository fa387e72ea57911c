"""Reads ended runs and their event logs, for sensors that must handle each run exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES, RunRecord

from dq_pipelines.history.alerts.run_cursor import RunsRead

#: Runs per read.
LIMIT = 100
#: A new reader begins with the runs of the last hour.
_FIRST = timedelta(hours=1)
#: Dagster may record a run's end late: each read overlaps the previous one by this much.
_OVERLAP = timedelta(minutes=10)
#: How long read runs are remembered. Must exceed the overlap.
_MEMORY = timedelta(days=7)


@dataclass(frozen=True)
class EndedRuns:
    """Ended runs that were not read yet, oldest first."""

    runs: Sequence[RunRecord]
    #: where the next read begins
    until: datetime

    @property
    def cursor(self) -> str:
        return self.until.isoformat()


def newly_ended_runs(context: dg.SensorEvaluationContext, read: RunsRead, now: datetime) -> EndedRuns:
    """Returns the ended runs of this code location from the sensor's cursor on, without those in `read`.

    Runs without a code location (`dagster asset materialize`) are included; the reader must check that they concern its
    tables. A run whose record changes long after its end is not read again.
    """
    begin = datetime.fromisoformat(context.cursor) if context.cursor else now - _FIRST
    since = begin - _OVERLAP
    wanted = dg.RunsFilter(statuses=FINISHED_STATUSES, updated_after=since)
    already_read = read.remembered()
    runs = [
        record
        for record in context.instance.get_run_records(wanted)
        if record.dagster_run.run_id not in already_read
        and ended(record) >= since
        and _is_here(context, record.dagster_run)
    ]
    read.forget(now - _MEMORY)
    # With more runs than LIMIT, the next read begins at the same place and skips those read by then.
    return EndedRuns(sorted(runs, key=ended)[:LIMIT], now if len(runs) <= LIMIT else begin)


def ended(record: RunRecord) -> datetime:
    """Returns when a run ended; without an end time, when its record last changed."""
    return datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp


def _is_here(context: dg.SensorEvaluationContext, run: dg.DagsterRun) -> bool:
    origin, here = run.remote_job_origin, context.code_location_origin
    if origin is None or here is None:
        return True
    return origin.repository_origin.code_location_origin.location_name == here.location_name


@dataclass(frozen=True)
class StepTimes:
    """One step of a run."""

    began_at: datetime
    #: when it ended, or its run did
    ended_at: datetime
    #: None where it was stopped
    success: bool | None


@dataclass(frozen=True)
class RunLog:
    """The event log of one ended run."""

    instance: dg.DagsterInstance
    record: RunRecord

    @property
    def run(self) -> dg.DagsterRun:
        return self.record.dagster_run

    @property
    def failed(self) -> bool:
        return self.run.status == dg.DagsterRunStatus.FAILURE

    @cached_property
    def checks(self) -> list[dg.AssetCheckEvaluation]:
        """The last evaluation of each check."""
        evaluations = (
            event.asset_check_evaluation_data for event in self._events(dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        )
        return list({(each.asset_key, each.check_name, each.partition): each for each in evaluations}.values())

    @cached_property
    def planned(self) -> set[str]:
        """The assets that the run planned to materialize."""
        return self._keys(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)

    @cached_property
    def materialized(self) -> set[str]:
        """The assets that the run materialized."""
        return self._keys(dg.DagsterEventType.ASSET_MATERIALIZATION)

    @cached_property
    def failed_steps(self) -> dict[str, str]:
        """Error message of each step whose last try failed, by step key; cancelled steps are left out."""
        ends = self._events(dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.STEP_SUCCESS)
        last = {event.step_key or "": event for event in ends}
        return {
            step: _failure_message(event)
            for step, event in last.items()
            if event.is_step_failure and not _was_stopped(event)
        }

    @cached_property
    def steps(self) -> dict[str, StepTimes]:
        """The times of each started step, by step key; the last end counts."""
        kinds = dg.DagsterEventType
        began: dict[str, datetime] = {}
        finished: dict[str, StepTimes] = {}
        for entry in self._entries(kinds.STEP_START, kinds.STEP_RESTARTED, kinds.STEP_SUCCESS, kinds.STEP_FAILURE):
            step, at = entry.step_key or "", datetime.fromtimestamp(entry.timestamp, UTC)
            if entry.dagster_event_type in (kinds.STEP_SUCCESS, kinds.STEP_FAILURE):
                success = entry.dagster_event_type == kinds.STEP_SUCCESS
                finished[step] = StepTimes(began.get(step, at), at, success)
            else:
                began.setdefault(step, at)
        stopped = {step: StepTimes(at, ended(self.record), None) for step, at in began.items() if step not in finished}
        return finished | stopped

    @cached_property
    def materializations(self) -> dict[str, list[dict[str, Any]]]:
        """The metadata of the materializations, by asset key: one entry, or one per partition."""
        by_asset: dict[str, list[dict[str, Any]]] = {}
        for event in self._events(dg.DagsterEventType.ASSET_MATERIALIZATION):
            materialization = event.step_materialization_data.materialization
            metadata = {name: value.value for name, value in materialization.metadata.items()}
            by_asset.setdefault(materialization.asset_key.to_user_string(), []).append(metadata)
        return by_asset

    @cached_property
    def end(self) -> str:
        """The message of the run's failure; "" without one."""
        return next((event.message or "" for event in self._events(dg.DagsterEventType.RUN_FAILURE)), "")

    def _keys(self, kind: dg.DagsterEventType) -> set[str]:
        return {event.asset_key.to_user_string() for event in self._events(kind) if event.asset_key is not None}

    def _events(self, *kinds: dg.DagsterEventType) -> Iterator[dg.DagsterEvent]:
        for entry in self._entries(*kinds):
            if entry.dagster_event is not None:
                yield entry.dagster_event

    def _entries(self, *kinds: dg.DagsterEventType) -> Iterator[dg.EventLogEntry]:
        for record in self.instance.get_records_for_run(self.run.run_id, of_type=set(kinds)).records:
            yield record.event_log_entry


def _was_stopped(event: dg.DagsterEvent) -> bool:
    """Whether the step was cancelled. Dagster logs that as a failure."""
    error = event.step_failure_data.error
    return error is not None and error.cls_name in ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


def _failure_message(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data is not None and failure.user_failure_data.description is not None:
        return failure.user_failure_data.description
    lines = failure.error.message.strip().splitlines() if failure.error is not None else []
    return lines[0] if lines else f"{event.step_key} failed"
