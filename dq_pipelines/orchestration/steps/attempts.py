"""Attempts of a step: how each run of a table ended is written down, also where it came to no verdict.

What Python can catch is written by the step itself. What becomes of a process that was killed is in `dead_attempts`.
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

#: How a run ends that somebody stops.
STOPPED = (dg.DagsterExecutionInterruptedError, KeyboardInterrupt)


class Waits(dg.Failure):
    """A table waits: an upstream table is blocked."""


class Blocked(dg.Failure):
    """A rule keeps a batch from being published."""


@dataclass
class Attempting:
    """An attempt under way; the step says how it ends as soon as that is known."""

    attempt: Attempt
    stores: Stores

    def ends(self, outcome: Outcome, said: str = "", batch: str = "") -> None:
        self.attempt = self.attempt.ended(outcome, datetime.now(UTC), said, batch)
        Attempts(self.stores.history).record(self.attempt)

    def broken_off(self, error: BaseException) -> None:
        """Write down that the step ends in this error. The truth on what was published is in the commit."""
        if self.attempt.is_over and not isinstance(error, Exception):
            return
        published = published_by(self.stores, self.attempt)
        if published is not None:
            self.ends("published", published)
        elif isinstance(error, STOPPED):
            self.ends("cancelled", CANCELLED)
        elif isinstance(error, GeneratorExit):
            self.ends("failed", "the run ended before the table was done")
        else:
            outcome: Outcome = (
                "waiting" if isinstance(error, Waits) else "blocked" if isinstance(error, Blocked) else "failed"
            )
            self.ends(outcome, said_by(error), self.attempt.batch)


@contextmanager
def attempting(
    stores: Stores, table: Table, partition: str | None, run_id: str, *, recheck: bool
) -> Iterator[Attempting]:
    """Write down that a run of a table begins, and how it ends."""
    begun = Attempt(
        table.key,
        partition,
        run_id,
        datetime.now(UTC),
        recheck=recheck,
        process=this_process(),
        upstream=",".join(table.upstream),
    )
    Attempts(stores.history).record(begun)
    under_way = Attempting(begun, stores)
    try:
        yield under_way
    except BaseException as error:
        # History may be what failed: then the error itself is what people are to see.
        with suppress(DqError, sa.exc.SQLAlchemyError):
            under_way.broken_off(error)
        raise


def said_by(error: BaseException) -> str:
    """What an error says, in a line."""
    text = error.description if isinstance(error, dg.Failure) and error.description else str(error)
    line = next(iter(text.strip().splitlines()), "")
    return line if isinstance(error, dg.Failure | DqError) else f"{type(error).__name__}: {line}"


def run_end(instance: dg.DagsterInstance) -> Callable[[str], RunEnd]:
    """What Dagster knows of the end of a run, for `settle`."""
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
