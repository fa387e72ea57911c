"""Whether there is anything new: a word that changes with every verdict, for whoever watches."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from dq_pipelines.history.schema import VERDICTS
from dq_pipelines.history.store import History


def pulse(history: History, tables: Collection[str] | None = None) -> str:
    """Differs from an earlier one when a verdict (on one of these tables) was recorded since, or recorded anew; "" for none."""
    if not history.is_begun:
        return ""
    # A verdict that replaces the last one may get its number again, but not its duration to the microsecond.
    wanted = sa.select(VERDICTS.c.id, VERDICTS.c.run_id, VERDICTS.c.duration_seconds)
    if tables is not None:
        wanted = wanted.where(VERDICTS.c.table.in_(tables))
    with history.engine.connect() as connection:
        last = connection.execute(wanted.order_by(VERDICTS.c.id.desc()).limit(1)).first()
    return "" if last is None else f"{last.id}-{last.run_id}-{last.duration_seconds:.6f}"
