"""Whether there is anything new: a token that changes with every verdict and attempt."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from dq_pipelines.history.store.schema import ATTEMPTS, VERDICTS
from dq_pipelines.history.store.verdicts import History


def change_token(history: History, tables: Collection[str] | None = None) -> str:
    """Differs from an earlier one when a verdict or an attempt (of one of these tables) was recorded since; "" for none."""
    if not history.is_begun:
        return ""
    # A verdict that replaces the last one may get its number again, but not its duration to the microsecond.
    wanted = sa.select(VERDICTS.c.id, VERDICTS.c.run_id, VERDICTS.c.duration_seconds)
    if tables is not None:
        wanted = wanted.where(VERDICTS.c.table.in_(tables))
    tried = sa.select(ATTEMPTS.c.id, ATTEMPTS.c.outcome, ATTEMPTS.c.run_id, ATTEMPTS.c.ended_at)
    if tables is not None:
        tried = tried.where(ATTEMPTS.c.table.in_(tables))
    # The one that was written last: an attempt that ends is written once more.
    tried = tried.order_by(sa.func.coalesce(ATTEMPTS.c.ended_at, ATTEMPTS.c.started_at).desc()).limit(1)
    with history.engine.connect() as connection:
        last = connection.execute(wanted.order_by(VERDICTS.c.id.desc()).limit(1)).first()
        attempt = connection.execute(tried).first()
    told = [] if last is None else [f"{last.id}-{last.run_id}-{last.duration_seconds:.6f}"]
    return "/".join(told if attempt is None else [*told, f"{attempt.id}-{attempt.outcome}-{attempt.run_id}"])
