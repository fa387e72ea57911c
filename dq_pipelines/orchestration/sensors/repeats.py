"""Runs that were killed are asked for again, without help: at once at first, then after longer and longer pauses.

A run that failed by itself is not: the same inputs would fail again until something changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.dagster_run import RunRecord
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, RUN_FAILURE_REASON_TAG, WILL_RETRY_TAG

from dq_pipelines.history.store.attempts import Attempts
from dq_pipelines.orchestration.runs.ended_runs import ended
from dq_pipelines.pipeline.runtime.dead_attempts import KILLED
from dq_pipelines.pipeline.runtime.stores import Stores

#: On a run that a sensor or schedule has asked for: a digest of the inputs that it is about.
INPUTS_TAG = "dq/inputs_key"
#: Runs of the same inputs that may be killed before there is a pause; it doubles with each one more.
_AT_ONCE, _PAUSE, _LONGEST = 5, timedelta(minutes=1), timedelta(hours=1)
#: Dagster's own retry of a run that was killed comes within seconds; where it has not come by now it never will.
_OWN_RETRY = timedelta(minutes=1)


@dataclass(frozen=True)
class Repeat:
    """How runs of the same inputs go on."""

    run_key: str
    #: why no run is asked for now; empty where one is
    wait: str = ""


@dataclass(frozen=True)
class Repeating:
    """What became of runs of the same inputs."""

    instance: dg.DagsterInstance
    stores: Stores

    def of(self, digest: str, now: datetime | None = None) -> Repeat:
        """The run key for these inputs: another one after each run that was killed."""
        records = self.instance.get_run_records(dg.RunsFilter(tags={INPUTS_TAG: digest}))  # the newest first
        if not records or not self._was_killed(records[0]):
            # Dagster starts no second run by a key: of inputs that are known none is started.
            return Repeat(digest)
        since = (now or datetime.now(UTC)) - ended(records[0])
        last, killed = records[0].dagster_run, len(records)
        if self._retries(last) and since < _OWN_RETRY:
            return Repeat(digest, f"run {last.run_id} was killed, and Dagster retries it")
        pause = min(_PAUSE * 2 ** min(killed - _AT_ONCE, 10), _LONGEST) if killed >= _AT_ONCE else timedelta(0)
        if since < pause:
            return Repeat(digest, f"{killed} runs of these inputs were killed, the next one begins in {pause - since}")
        return Repeat(f"{digest}-{killed}")

    def _was_killed(self, record: RunRecord) -> bool:
        """Whether it failed for no fault of its own: its process was killed, or stopped with its server."""
        run = record.dagster_run
        if run.status != dg.DagsterRunStatus.FAILURE:
            return False
        if run.tags.get(RUN_FAILURE_REASON_TAG) != "STEP_FAILURE":
            return True
        attempts = Attempts(self.stores.history).of_run(run.run_id)
        return any(attempt.outcome == "cancelled" or attempt.said == KILLED for attempt in attempts)

    def _retries(self, run: dg.DagsterRun) -> bool:
        return run.tags.get(WILL_RETRY_TAG) == "true" and AUTO_RETRY_RUN_ID_TAG not in run.tags
