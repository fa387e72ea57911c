"""Runs that have ended: for what comes after them and must miss none. What is made of a run belongs elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES, RunRecord

from dq_pipelines.history.alerts.run_cursor import RunsRead

#: Runs that one look takes.
LIMIT = 100
#: A reader that has never looked begins with the runs of the last hour.
_FIRST = timedelta(hours=1)
#: A run may be written down later than one that ended after it: each look goes back so far behind the last.
_OVERLAP = timedelta(minutes=10)
#: What was read is remembered for so much longer than anybody looks back.
_MEMORY = timedelta(days=7)


@dataclass(frozen=True)
class EndedRuns:
    """The runs that have ended and were not read yet, oldest first, and where the next look begins."""

    runs: Sequence[RunRecord]
    #: where the next look begins
    until: datetime

    @property
    def cursor(self) -> str:
        return self.until.isoformat()


def newly_ended_runs(context: dg.SensorEvaluationContext, read: RunsRead, now: datetime) -> EndedRuns:
    """The ended runs of this code location that `read` has not noted, from the sensor's cursor on.

    Runs that nobody launched from a code location (`dagster asset materialize`) count too; their reader must see whether
    they are about its tables. A run whose record changes long after its end is not looked at again.
    """
    begun = datetime.fromisoformat(context.cursor) if context.cursor else now - _FIRST
    since = begun - _OVERLAP
    wanted = dg.RunsFilter(statuses=FINISHED_STATUSES, updated_after=since)
    known = read.remembered()
    runs = [
        record
        for record in context.instance.get_run_records(wanted)
        if record.dagster_run.run_id not in known and ended(record) >= since and _is_here(context, record.dagster_run)
    ]
    read.forget(now - _MEMORY)
    # Where there are more, the next look begins at the same place, and passes over those that were read by then.
    return EndedRuns(sorted(runs, key=ended)[:LIMIT], now if len(runs) <= LIMIT else begun)


def ended(record: RunRecord) -> datetime:
    """When a run ended, as far as its record knows."""
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
    """What one run's event log tells, as far as somebody asks who comes after it."""

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
        found = (
            event.asset_check_evaluation_data for event in self._events(dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        )
        return list({(one.asset_key, one.check_name, one.partition): one for one in found}.values())

    @cached_property
    def planned(self) -> set[str]:
        """The assets that the run was to materialize."""
        return self._keys(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)

    @cached_property
    def materialized(self) -> set[str]:
        """The assets that it did materialize."""
        return self._keys(dg.DagsterEventType.ASSET_MATERIALIZATION)

    @cached_property
    def failed_steps(self) -> dict[str, str]:
        """What each step that failed for good said, by its key."""
        ends = self._events(dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.STEP_SUCCESS)
        last = {event.step_key or "": event for event in ends}
        return {step: _said(event) for step, event in last.items() if event.is_step_failure and not _stopped(event)}

    @cached_property
    def steps(self) -> dict[str, StepTimes]:
        """Each step that began, by its key, as it went the last time."""
        kinds = dg.DagsterEventType
        began: dict[str, datetime] = {}
        found: dict[str, StepTimes] = {}
        for entry in self._entries(kinds.STEP_START, kinds.STEP_RESTARTED, kinds.STEP_SUCCESS, kinds.STEP_FAILURE):
            step, at = entry.step_key or "", datetime.fromtimestamp(entry.timestamp, UTC)
            if entry.dagster_event_type in (kinds.STEP_SUCCESS, kinds.STEP_FAILURE):
                success = entry.dagster_event_type == kinds.STEP_SUCCESS
                found[step] = StepTimes(began.get(step, at), at, success)
            else:
                began.setdefault(step, at)
        stopped = {step: StepTimes(at, ended(self.record), None) for step, at in began.items() if step not in found}
        return found | stopped

    @cached_property
    def materializations(self) -> dict[str, list[dict[str, Any]]]:
        """What each materialization says of itself, by the key of its asset: one, or one of each partition."""
        found: dict[str, list[dict[str, Any]]] = {}
        for event in self._events(dg.DagsterEventType.ASSET_MATERIALIZATION):
            one = event.step_materialization_data.materialization
            told = {name: value.value for name, value in one.metadata.items()}
            found.setdefault(one.asset_key.to_user_string(), []).append(told)
        return found

    @cached_property
    def end(self) -> str:
        """What the run's last word was."""
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


def _stopped(event: dg.DagsterEvent) -> bool:
    """Whether the step was cancelled, which is no failure of its own."""
    error = event.step_failure_data.error
    return error is not None and error.cls_name in ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


def _said(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data is not None and failure.user_failure_data.description is not None:
        return failure.user_failure_data.description
    lines = failure.error.message.strip().splitlines() if failure.error is not None else []
    return lines[0] if lines else f"{event.step_key} failed"
