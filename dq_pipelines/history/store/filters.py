"""SQL conditions that several queries of the history share."""

from __future__ import annotations

import sqlalchemy as sa

from dq_pipelines.history.store.records import GOLD, MISREADINGS, NON_QUALITY_RULES, REPLAY, RERUN
from dq_pipelines.history.store.schema import RESULTS, VERDICTS

#: No replays: they are recorded, but never count as the latest verdict of a batch.
NO_REPLAY = ~VERDICTS.c.batch.like(f"{REPLAY}%")

#: Verdicts on one batch or on several together; no re-checks.
ON_BATCHES = (VERDICTS.c.batch != "", NO_REPLAY)

#: Verdicts on single batches: no reruns, which judge all batches at once.
ON_SINGLE_BATCHES = (*ON_BATCHES, ~VERDICTS.c.batch.like(f"%{RERUN}"))

#: Results that count in quality scores.
QUALITY_RESULTS = RESULTS.c.rule.not_in(NON_QUALITY_RULES)

#: Their score, 0 to 1; null for other results, which a mean ignores.
SCORED: sa.ColumnElement[float | None] = sa.case((QUALITY_RESULTS, RESULTS.c.score))

#: Results of rules whose failing rows are not published: `ResultRecord.sets_aside` in SQL.
SET_ASIDE = (
    sa.case(
        (RESULTS.c.action.is_not(None), RESULTS.c.action.in_(("quarantine", "drop"))),
        (RESULTS.c.rule.in_(MISREADINGS), sa.true()),
        else_=(RESULTS.c.severity == "critical") & RESULTS.c.unexpected_count.is_not(None) & QUALITY_RESULTS,
    )
    & ~RESULTS.c.blocks
    & RESULTS.c.error.is_(None)
)


def replaced(verdicts: sa.FromClause = VERDICTS) -> sa.ColumnElement[bool]:
    """Whether a verdict's batch replaced all published rows: `VerdictRecord.rebuilds` in SQL."""
    named = verdicts.c.batch.like(f"{GOLD}%") | verdicts.c.batch.like(f"%{RERUN}")
    return ~verdicts.c.blocked & sa.func.coalesce(verdicts.c.replaces, named)


def one_if(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """1 where the condition holds, else 0: its sum counts rows, its maximum says whether there is any."""
    return sa.case((condition, 1), else_=0)
