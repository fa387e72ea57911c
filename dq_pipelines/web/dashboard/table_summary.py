"""Summaries of tables and failing rules for pages, and the time ranges of charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from dq_pipelines.history.queries.rule_status import RuleState
from dq_pipelines.history.queries.scores import Score, score_of
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.queries.trend import TrendPoint
from dq_pipelines.history.store.status import STATUSES, Status

#: Time ranges of charts, by the value of the query parameter `days`.
SPANS: Mapping[str, timedelta | None] = {
    "1": timedelta(days=1), "7": timedelta(days=7), "30": timedelta(days=30), "90": timedelta(days=90), "all": None,
}  # fmt: skip
SPAN = "30"

#: Points of a chart, runs of a list, and items of a list that are shown at first.
POINTS, RUNS, FIRST = 200, 50, 10


@dataclass(frozen=True)
class TimeRange:
    """The time range of charts."""

    name: str = SPAN

    def since(self, at: datetime) -> datetime | None:
        back = SPANS[self.name]
        return None if back is None else at - back


@dataclass(frozen=True)
class TableSummary:
    """The summary of one table."""

    standing: TableStatus
    domain: str
    #: its score over time, oldest first
    spark: Sequence[TrendPoint] = ()
    #: failing check -> since when it fails
    since: Mapping[str, datetime] | None = None

    @property
    def status(self) -> Status:
        return self.standing.status

    @property
    def rank(self) -> tuple[int, float, str]:
        """A sort key that puts the worst first."""
        score = self.standing.score
        return STATUSES.index(self.status), 100.0 if score is None else score, self.standing.table

    @cached_property
    def last_at(self) -> float:
        """When the newest verdict or attempt began, in seconds since 1970; 0 for a table that never ran."""
        return self.standing.at.timestamp() if self.standing.verdicts or self.standing.attempts else 0.0

    @cached_property
    def failing(self) -> tuple[Failing, ...]:
        return tuple(Failing(self, rule) for rule in self.standing.failed)

    @cached_property
    def score(self) -> Score | None:
        """The score in total and by dimension."""
        return score_of(self.standing)

    @cached_property
    def failing_since(self) -> datetime | None:
        return min((one.since for one in self.failing if one.since is not None), default=None)


@dataclass(frozen=True)
class Failing:
    """A failing rule."""

    line: TableSummary
    rule: RuleState

    @property
    def table(self) -> str:
        return self.line.standing.table

    @property
    def since(self) -> datetime | None:
        """When its first run failed, or its oldest open row landed."""
        moments = [(self.line.since or {}).get(self.rule.one.check), *(one.since for one in self.rule.open or ())]
        return min((moment for moment in moments if moment is not None), default=None)

    @property
    def run_id(self) -> str:
        """The id of the last run in which it failed; "" if unknown."""
        check = self.rule.one.check
        stands = self.line.standing
        every = (*stands.verdicts, *stands.rechecks)
        verdicts = [v for v in every for r in v.results if r.check == check and not r.success]
        return max(verdicts, key=lambda verdict: verdict.started_at).run_id if verdicts else ""
