"""Finds since when a rule has been failing, and its last result."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dq_pipelines.history.store.records import ResultRecord
from dq_pipelines.history.store.schema import RESULTS, VERDICTS
from dq_pipelines.history.store.verdicts import History

#: Checks that one query asks about: a database takes only so many values.
_AT_ONCE = 500


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
    return {check: began for (_, check), began in all_failing_since(history, [(table, one) for one in checks]).items()}


def all_failing_since(history: History, checks: Collection[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """The same for checks of several tables, as pairs of table and check."""
    pairs, began = sorted(set(checks)), {}
    if not pairs or not history.is_begun:
        return {}
    with history.engine.connect() as connection:
        for start in range(0, len(pairs), _AT_ONCE):
            for row in connection.execute(_since(pairs[start : start + _AT_ONCE])):
                began[row.table, row.check] = row.began
    return began


def _since(pairs: Sequence[tuple[str, str]]) -> sa.Select[Any]:
    asked = (
        sa.values(sa.column("table", sa.String), sa.column("check", sa.String), name="asked").data(list(pairs)).cte()
    )
    # A passed re-check does not end the failure of a batch.
    recheck = sa.case((VERDICTS.c.batch == "", "recheck:"), else_="")
    judged = (
        sa.select(
            asked.c.table,
            asked.c.check,
            VERDICTS.c.id,
            VERDICTS.c.started_at,
            (recheck + sa.func.coalesce(VERDICTS.c.partition, "")).label("partition"),
            RESULTS.c.success,
        )
        .join_from(asked, VERDICTS, VERDICTS.c.table == asked.c.table)
        .join(RESULTS, (RESULTS.c.verdict_id == VERDICTS.c.id) & (RESULTS.c.check == asked.c.check))
        .cte("judged")
    )
    of = (judged.c.table, judged.c.check, judged.c.partition)
    good = sa.select(*of, sa.func.max(judged.c.id).label("last")).where(judged.c.success).group_by(*of).subquery("good")
    same = sa.and_(*(column == good.c[column.name] for column in of))
    return (
        sa.select(judged.c.table, judged.c.check, sa.func.min(judged.c.started_at).label("began"))
        .select_from(judged.outerjoin(good, same))
        .where(~judged.c.success, judged.c.id > sa.func.coalesce(good.c.last, 0))
        .group_by(judged.c.table, judged.c.check)
    )
