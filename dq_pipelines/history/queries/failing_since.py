"""Finds since when a rule has been failing, and its last result."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.history.store.schema import RESULTS, VERDICTS
from dq_pipelines.history.store.verdicts import History


def last_result(history: History, table: str, check: str) -> ResultRecord | None:
    """Returns a rule's last result; None where it was never judged."""
    wanted = sa.select(VERDICTS.c.run_id).join_from(VERDICTS, RESULTS, RESULTS.c.verdict_id == VERDICTS.c.id)
    wanted = wanted.where(VERDICTS.c.table == table, RESULTS.c.check == check).order_by(VERDICTS.c.id.desc()).limit(1)
    with history.engine.connect() as connection:
        run = connection.execute(wanted).scalar()
    verdicts = history.of_run(run) if run is not None else []
    return next((one for v in reversed(verdicts) if v.table == table for one in v.results if one.check == check), None)


def failing_since(history: History, table: str, checks: Collection[str]) -> dict[str, datetime]:
    """Returns when each of these failing checks began to fail; for a partitioned table, the earliest of its partitions."""
    if not checks or not history.is_begun:
        return {}
    about = RESULTS.c.check.in_(checks)
    # A passed re-check does not end the failure of a batch.
    recheck = sa.case((VERDICTS.c.batch == "", "recheck:"), else_="")
    partition = recheck + sa.func.coalesce(VERDICTS.c.partition, "")
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
