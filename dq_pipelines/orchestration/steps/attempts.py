"""Records the attempt of a step in history: its start, and how it ended, even without a verdict.

The step records every end that Python can catch. `pipeline.runtime.dead_attempts` handles killed processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import sqlalchemy as sa

from dq_pipelines.errors import DqError
from dq_pipelines.history.store.attempts import Attempt, Attempts
from dq_pipelines.history.store.status import Outcome
from dq_pipelines.pipeline.runtime.dead_attempts import CANCELLED, RunEnd, published_by
from dq_pipelines.pipeline.runtime.processes import this_process
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.project import Table

#: Errors of a run that a person stopped.
STOPPED = (dg.DagsterExecutionInterruptedError, KeyboardInterrupt)


class UpstreamBlocked(dg.Failure):
    """The table waits because an upstream table is blocked."""


class BatchBlocked(dg.Failure):
    """A blocking rule failed, so the batch was not published."""


@dataclass
class RunningAttempt:
    """An attempt in progress. The step calls `end` as soon as the outcome is known."""

    attempt: Attempt
    stores: Stores

    def end(self, outcome: Outcome, message: str = "", batch: str = "") -> None:
        """Records the outcome."""
        self.attempt = self.attempt.ended(outcome, datetime.now(UTC), message, batch)
        Attempts(self.stores.history).record(self.attempt)

    def end_with(self, error: BaseException) -> None:
        """Records that the step ended with this error. Whether the batch was published, the lake's commits decide."""
        if self.attempt.is_over and not isinstance(error, Exception):
            return
        published = published_by(self.stores, self.attempt)
        if published is not None:
            self.end("published", published)
        elif isinstance(error, STOPPED):
            self.end("cancelled", CANCELLED)
        elif isinstance(error, GeneratorExit):
            self.end("failed", "the run ended before the table was done")
        else:
            self.end(_outcome_of(error), error_message(error), self.attempt.batch)


def _outcome_of(error: BaseException) -> Outcome:
    if isinstance(error, UpstreamBlocked):
        return "waiting"
    return "blocked" if isinstance(error, BatchBlocked) else "failed"


@contextmanager
def recorded_attempt(
    stores: Stores, table: Table, partition: str | None, run_id: str, *, recheck: bool
) -> Iterator[RunningAttempt]:
    """Records that a run of a table begins, and how it ends."""
    attempt = Attempt(
        table.key,
        partition,
        run_id,
        datetime.now(UTC),
        recheck=recheck,
        process=this_process(),
        upstream=",".join(table.upstream),
    )
    Attempts(stores.history).record(attempt)
    running = RunningAttempt(attempt, stores)
    try:
        yield running
    except BaseException as error:
        # Where history itself failed, the original error must reach the user.
        with suppress(DqError, sa.exc.SQLAlchemyError):
            running.end_with(error)
        raise


def error_message(error: BaseException) -> str:
    """Returns the first line of an error's message."""
    text = error.description if isinstance(error, dg.Failure) and error.description else str(error)
    line = next(iter(text.strip().splitlines()), "")
    return line if isinstance(error, dg.Failure | DqError) else f"{type(error).__name__}: {line}"


def run_end(instance: dg.DagsterInstance) -> Callable[[str], RunEnd]:
    """Returns a function that looks up in Dagster how a run ended, for `settle`."""
    statuses = dg.DagsterRunStatus
    ends: dict[dg.DagsterRunStatus, RunEnd] = {
        statuses.FAILURE: "failed",
        statuses.CANCELED: "cancelled",
        statuses.CANCELING: "being cancelled",
    }

    def end_of(run_id: str) -> RunEnd:
        run = instance.get_run_by_id(run_id)
        return None if run is None else ends.get(run.status)

    return end_of
