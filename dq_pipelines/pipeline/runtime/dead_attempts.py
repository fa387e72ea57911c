"""Settling: attempts whose process was killed could not write down how they ended. The next look does it for them.

It asks whether the process is there still, and what Dagster says of the run, where somebody can ask Dagster.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from dq_pipelines.config.counting import counted
from dq_pipelines.history.store.attempts import Attempt, Attempts
from dq_pipelines.pipeline.runtime.processes import is_gone
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.pipeline.runtime.verdict_recovery import recollect

#: How Dagster says that a run ended without success; None where it has not ended so, or nobody knows.
RunEnd = Literal["failed", "cancelled", "being cancelled"] | None

CANCELLED = "the run was cancelled before it published anything"
KILLED = "its process ended before the run did: it was killed, or the machine had no memory left"


def settle(stores: Stores, end_of: Callable[[str], RunEnd] = lambda _: None) -> None:
    """Write down how those attempts ended whose process is gone, or whose run Dagster calls ended."""
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
    """What the attempt has published, as its commit says; None where it has published nothing."""
    if attempt.recheck:
        return None
    recollect(stores.lake, attempt.table, stores.history)
    found = [
        verdict
        for verdict in stores.history.of_run(attempt.run_id)
        if (verdict.table, verdict.partition) == (attempt.table, attempt.partition)
        and not (verdict.blocked or verdict.is_recheck)
    ]
    if not found:
        return None
    return f"the run ended after its commit: {counted(sum(verdict.published for verdict in found), 'row', 'is', 'are')} published"
