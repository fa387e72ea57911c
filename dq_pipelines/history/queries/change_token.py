"""Returns a change token for polling."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from dq_pipelines.history.store.schema import ATTEMPTS, VERDICTS
from dq_pipelines.history.store.verdicts import History


def change_token(history: History, tables: Collection[str] | None = None) -> str:
    """Returns a token that changes with every recorded verdict and attempt (of these tables); "" without any."""
    if not history.is_begun:
        return ""
    # A verdict that replaces the last one may get its number again, but not its duration to the microsecond.
    wanted = sa.select(VERDICTS.c.id, VERDICTS.c.run_id, VERDICTS.c.duration_seconds)
    if tables is not None:
        wanted = wanted.where(VERDICTS.c.table.in_(tables))
    attempts = sa.select(ATTEMPTS.c.id, ATTEMPTS.c.outcome, ATTEMPTS.c.run_id, ATTEMPTS.c.ended_at)
    if tables is not None:
        attempts = attempts.where(ATTEMPTS.c.table.in_(tables))
    # The one that was written last: an attempt is written again when it ends.
    attempts = attempts.order_by(sa.func.coalesce(ATTEMPTS.c.ended_at, ATTEMPTS.c.started_at).desc()).limit(1)
    with history.engine.connect() as connection:
        last = connection.execute(wanted.order_by(VERDICTS.c.id.desc()).limit(1)).first()
        attempt = connection.execute(attempts).first()
    parts = [] if last is None else [f"{last.id}-{last.run_id}-{last.duration_seconds:.6f}"]
    return "/".join(parts if attempt is None else [*parts, f"{attempt.id}-{attempt.outcome}-{attempt.run_id}"])
