"""Since when rules fail. What they found last belongs in `standing`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from dq_pipelines.history.schema import RESULTS, VERDICTS
from dq_pipelines.history.store import History


def failing_since(history: History, table: str, checks: Collection[str]) -> dict[str, datetime]:
    """By check of those that fail now, the run in which that began: of a partitioned table, in any of its partitions."""
    if not checks or not history.is_begun:
        return {}
    about = RESULTS.c.check.in_(checks)
    partition = sa.func.coalesce(VERDICTS.c.partition, "")
    judged = sa.join(VERDICTS, RESULTS, RESULTS.c.verdict_id == VERDICTS.c.id)
    good = (
        sa.select(RESULTS.c.check, partition.label("partition"), sa.func.max(VERDICTS.c.id).label("last"))
        .select_from(judged)
        .where(VERDICTS.c.table == table, about, RESULTS.c.success)
        .group_by(RESULTS.c.check, partition)
        .subquery("good")
    )
    same = (good.c.check == RESULTS.c.check) & (good.c.partition == partition)
    wanted = (
        sa.select(RESULTS.c.check, sa.func.min(VERDICTS.c.started_at).label("began"))
        .select_from(judged.outerjoin(good, same))
        .where(VERDICTS.c.table == table, about, ~RESULTS.c.success)
        .where(VERDICTS.c.id > sa.func.coalesce(good.c.last, 0))
        .group_by(RESULTS.c.check)
    )
    with history.engine.connect() as connection:
        return {row.check: row.began for row in connection.execute(wanted)}
