"""The words that queries of the history share: which verdicts are meant, and what is counted of them.

What a record holds belongs in `records`, the database's tables in `schema`.
"""

from __future__ import annotations

import sqlalchemy as sa

from dq_pipelines.history.store.records import GOLD, NO_RULES, REPLAY, RERUN
from dq_pipelines.history.store.schema import RESULTS, VERDICTS

#: What a replay publishes is no batch of its own that rules were asked about: it is remembered, and no latest verdict.
NO_REPLAY = ~VERDICTS.c.batch.like(f"{REPLAY}%")

#: Verdicts on batches, and on several together: nothing that was judged as it stood.
ON_BATCHES = (VERDICTS.c.batch != "", NO_REPLAY)

#: The same without reruns: all batches at once are no point of a series of batches.
ON_SINGLE_BATCHES = (*ON_BATCHES, ~VERDICTS.c.batch.like(f"%{RERUN}"))

#: Results that tell of the quality of the rows at hand.
TELLS_OF_QUALITY = RESULTS.c.rule.not_in(NO_RULES)

#: Their score, 0 to 1; null for other results, which a mean passes over.
SCORED: sa.ColumnElement[float | None] = sa.case((TELLS_OF_QUALITY, RESULTS.c.score))


def replaced(verdicts: sa.FromClause = VERDICTS) -> sa.ColumnElement[bool]:
    """Whether a verdict is on a batch that replaced all that was published before; `VerdictRecord.rebuilds` in SQL."""
    named = verdicts.c.batch.like(f"{GOLD}%") | verdicts.c.batch.like(f"%{RERUN}")
    return ~verdicts.c.blocked & sa.func.coalesce(verdicts.c.replaces, named)


def one(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """1 where it holds and else 0: summed it counts, its greatest says whether there is any."""
    return sa.case((condition, 1), else_=0)
