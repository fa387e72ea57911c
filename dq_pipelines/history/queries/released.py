"""Attempts that waited for an upstream table, and would not wait today: the table has been published since, or is blocked no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dq_pipelines.history.store.attempts import Attempt

if TYPE_CHECKING:
    from dq_pipelines.history.queries.table_status import TableStatus


def released(attempts: Sequence[Attempt], standing_of: Callable[[str], TableStatus | None]) -> tuple[Attempt, ...]:
    """Those of these attempts that waited, and that no upstream table holds back any longer."""
    waiting = [one for one in attempts if one.outcome == "waiting" and one.upstream]
    return tuple(
        one for one in waiting if all(_lets_pass(standing_of(key), one) for key in (one.upstream or "").split(","))
    )


def _lets_pass(upstream: TableStatus | None, waiting: Attempt) -> bool:
    """Whether a table is not blocked, and either its last attempts went well or it was published since."""
    if upstream is None:
        return True
    if upstream.blocked:
        return False
    if not any(one.is_failure for one in upstream.attempts):
        return True
    return upstream.latest is not None and upstream.latest.started_at > waiting.started_at
