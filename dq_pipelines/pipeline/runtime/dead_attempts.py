"""Records the end of attempts whose process was killed before it could record it.

An attempt is dead if its process is gone, or if Dagster says that its run ended (where Dagster can be asked).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from dq_pipelines.config.counting import counted
from dq_pipelines.history.store.attempts import Attempt, Attempts
from dq_pipelines.pipeline.runtime.processes import is_gone
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.pipeline.runtime.verdict_recovery import recover_verdicts

#: How a run ended without success, according to Dagster; None for any other run, or where it is not known.
RunEnd = Literal["failed", "cancelled", "being cancelled"] | None

CANCELLED = "the run was cancelled before it published anything"
KILLED = "its process ended before the run did: it was killed, or the machine had no memory left"


def record_dead_attempts(stores: Stores, end_of: Callable[[str], RunEnd] = lambda _: None) -> None:
    """Record the end of each attempt whose process is gone, or whose run has ended according to Dagster."""
    if not stores.history.is_begun:
        return
    attempts = Attempts(stores.history)
    for attempt in attempts.running():
        end = end_of(attempt.run_id)
        if is_gone(attempt.process) or end in ("failed", "cancelled"):
            attempts.record(_ended(stores, attempt, end))


def _ended(stores: Stores, attempt: Attempt, end: RunEnd) -> Attempt:
    now = datetime.now(UTC)
    if (published := published_by(stores, attempt)) is not None:
        return attempt.ended("published", now, published)
    if end in ("cancelled", "being cancelled"):
        return attempt.ended("cancelled", now, CANCELLED)
    return attempt.ended("failed", now, KILLED)


def published_by(stores: Stores, attempt: Attempt) -> str | None:
    """One sentence on what the attempt published, from its commit; None where it published nothing."""
    if attempt.recheck:
        return None
    recover_verdicts(stores.lake, attempt.table, stores.history)
    verdicts = [
        verdict
        for verdict in stores.history.of_run(attempt.run_id)
        if (verdict.table, verdict.partition) == (attempt.table, attempt.partition)
        and not (verdict.blocked or verdict.is_recheck)
    ]
    if not verdicts:
        return None
    return f"the run ended after its commit: {counted(sum(verdict.published for verdict in verdicts), 'row', 'is', 'are')} published"
