"""Chooses the failing rules that the overview lists: the worst first, then those that began to fail last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from dq_pipelines.web.dashboard.summary_cache import SummaryCache
from dq_pipelines.web.dashboard.table_summary import Failing, TableSummary

#: Equally bad rules of which is asked since when they fail; of more, those of the tables that ran last.
_ASKED = 500


@dataclass(frozen=True)
class FailingRules:
    """Failing rules of some tables."""

    shown: Sequence[Failing]
    #: the number of all of them
    count: int


def failing_rules(summaries: Sequence[TableSummary], cache: SummaryCache, limit: int | None) -> FailingRules:
    """The failing rules of these tables, or the first `limit` of them."""
    every = sorted((one for line in summaries for one in line.failing), key=lambda one: one.rule.rank[:2])
    shown: list[Failing] = []
    for _, group in groupby(every, key=lambda one: one.rule.rank[:2]):
        if limit is not None and len(shown) >= limit:
            break
        alike = list(group)
        if limit is not None and len(alike) > _ASKED:
            alike = sorted(alike, key=lambda one: (-one.line.last_at, one.table))[:_ASKED]
        shown += _latest_first(alike, cache)
    return FailingRules(shown[:limit], len(every))


def _latest_first(alike: Sequence[Failing], cache: SummaryCache) -> list[Failing]:
    lines = {one.table: one.line for one in alike}
    dated = {line.standing.table: line for line in cache.with_since(list(lines.values()))}
    found = [Failing(dated[one.table], one.rule) for one in alike]
    return sorted(found, key=lambda one: (-(one.since.timestamp() if one.since else one.line.last_at), one.table))
