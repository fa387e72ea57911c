"""Lists the last verdicts, each with counts of its rules in place of their results."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from dq_pipelines.history.store.filters import SCORED, SET_ASIDE, one_if
from dq_pipelines.history.store.records import BatchRecord
from dq_pipelines.history.store.schema import RESULTS, VERDICTS
from dq_pipelines.history.store.status import Status, verdict_status
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True, kw_only=True)
class BatchSummary(BatchRecord):
    """A batch with counts of its rules."""

    #: its number in the history; it increases
    id: int
    #: number of failed rules, of those that are failures (see `is_failure`), and of all judged rules
    failed: int
    critical: int
    rules: int
    #: in percent
    score: float

    @property
    def status(self) -> Status:
        """The status of this verdict alone."""
        return verdict_status(blocked=self.blocked, critical=self.critical, failed=self.failed)


def last_runs(
    history: History, tables: Collection[str] | None = None, limit: int = 25, before: int | None = None
) -> list[BatchSummary]:
    """Returns the last verdicts of some or all tables, newest first; with `before`, those with a lower number."""
    if not history.is_begun:
        return []
    verdicts = sa.select(VERDICTS).order_by(VERDICTS.c.id.desc()).limit(limit)
    if tables is not None:
        verdicts = verdicts.where(VERDICTS.c.table.in_(tables))
    if before is not None:
        verdicts = verdicts.where(VERDICTS.c.id < before)
    last = verdicts.subquery("last")
    # A re-check judges published rows: what fails there is not set aside.
    failure = (RESULTS.c.severity == "critical") & ~(SET_ASIDE & (last.c.batch != ""))
    failed, critical = one_if(~RESULTS.c.success), one_if(~RESULTS.c.success & failure)
    wanted = (
        sa.select(
            last,
            sa.func.coalesce(sa.func.sum(failed), 0).label("failed"),
            sa.func.coalesce(sa.func.sum(critical), 0).label("critical"),
            sa.func.count(RESULTS.c.check).label("rules"),
            (100 * sa.func.coalesce(sa.func.avg(SCORED), 1.0)).label("score"),
        )
        .outerjoin_from(last, RESULTS, RESULTS.c.verdict_id == last.c.id)
        .group_by(*last.c)
        .order_by(last.c.id.desc())
    )
    with history.engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(wanted).mappings()]
    names = BatchSummary.__dataclass_fields__
    return [BatchSummary(**{name: row[name] for name in names}) for row in rows]
