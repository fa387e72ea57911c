"""Decides whether to request a killed run again: at first immediately, then after increasing pauses.

A run that failed is not requested again: the same inputs would fail again.
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

#: Tag of a run that a sensor or schedule requested: a digest of its inputs.
INPUTS_TAG = "dq/inputs_key"
#: Number of killed runs of the same inputs before the first pause; the pause, which doubles each time; the longest.
_AT_ONCE, _PAUSE, _LONGEST = 5, timedelta(minutes=1), timedelta(hours=1)
#: Dagster's own retry of a killed run comes within seconds; after this time it will not come.
_OWN_RETRY = timedelta(minutes=1)


@dataclass(frozen=True)
class RetryDecision:
    """Whether to request the next run of the same inputs."""

    run_key: str
    #: why to request no run now; "" to request one
    wait: str = ""


@dataclass(frozen=True)
class KilledRunRetries:
    """Decides on retries by earlier runs of the same inputs."""

    instance: dg.DagsterInstance
    stores: Stores

    def decide(self, digest: str, now: datetime | None = None) -> RetryDecision:
        """Returns the run key for these inputs: a new one after each killed run."""
        records = self.instance.get_run_records(dg.RunsFilter(tags={INPUTS_TAG: digest}))  # newest first
        if not records or not self._was_killed(records[0]):
            # Dagster starts no second run of the same key, so inputs of an earlier run start none.
            return RetryDecision(digest)
        since = (now or datetime.now(UTC)) - ended(records[0])
        last, killed = records[0].dagster_run, len(records)
        if self._retries(last) and since < _OWN_RETRY:
            return RetryDecision(digest, f"run {last.run_id} was killed, and Dagster retries it")
        pause = min(_PAUSE * 2 ** min(killed - _AT_ONCE, 10), _LONGEST) if killed >= _AT_ONCE else timedelta(0)
        if since < pause:
            return RetryDecision(
                digest, f"{killed} runs of these inputs were killed, the next one begins in {pause - since}"
            )
        return RetryDecision(f"{digest}-{killed}")

    def _was_killed(self, record: RunRecord) -> bool:
        """Whether a run's process was killed, or stopped with its server, rather than failed."""
        run = record.dagster_run
        if run.status != dg.DagsterRunStatus.FAILURE:
            return False
        if run.tags.get(RUN_FAILURE_REASON_TAG) != "STEP_FAILURE":
            return True
        attempts = Attempts(self.stores.history).of_run(run.run_id)
        return any(attempt.outcome == "cancelled" or attempt.said == KILLED for attempt in attempts)

    def _retries(self, run: dg.DagsterRun) -> bool:
        return run.tags.get(WILL_RETRY_TAG) == "true" and AUTO_RETRY_RUN_ID_TAG not in run.tags
