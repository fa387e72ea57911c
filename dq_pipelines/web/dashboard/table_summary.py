"""What pages show of a table at a glance, the worst first, and how far back their charts go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dq_pipelines.history.queries.rule_status import RuleState
from dq_pipelines.history.queries.scores import Score, score_of
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.queries.trend import TrendPoint
from dq_pipelines.history.store.status import STATUSES, Status

#: How far back charts go, by what an address says.
SPANS: Mapping[str, timedelta | None] = {
    "1": timedelta(days=1), "7": timedelta(days=7), "30": timedelta(days=30), "90": timedelta(days=90), "all": None,
}  # fmt: skip
SPAN = "30"

#: Points of a chart, runs of a list, and what of a list is seen at first.
POINTS, RUNS, FIRST = 200, 50, 10


@dataclass(frozen=True)
class TimeRange:
    """How far back charts go."""

    name: str = SPAN

    def since(self, at: datetime) -> datetime | None:
        back = SPANS[self.name]
        return None if back is None else at - back


@dataclass(frozen=True)
class TableSummary:
    """One table at a glance."""

    standing: TableStatus
    domain: str
    #: how its score went, oldest first
    spark: Sequence[TrendPoint] = ()
    #: since when its rules fail, by check
    since: Mapping[str, datetime] | None = None

    @property
    def status(self) -> Status:
        return self.standing.status

    @property
    def rank(self) -> tuple[int, float, str]:
        """Sorts the worst first."""
        score = self.standing.score
        return STATUSES.index(self.status), 100.0 if score is None else score, self.standing.table

    @property
    def failing(self) -> list[Failing]:
        return [Failing(self, rule) for rule in self.standing.failed]

    @property
    def score(self) -> Score | None:
        """In all and by dimension."""
        return score_of(self.standing)

    @property
    def failing_since(self) -> datetime | None:
        return min((one.since for one in self.failing if one.since is not None), default=None)


@dataclass(frozen=True)
class Failing:
    """A rule that fails now."""

    line: TableSummary
    rule: RuleState

    @property
    def table(self) -> str:
        return self.line.standing.table

    @property
    def since(self) -> datetime | None:
        """When the first run failed for it, or the oldest of its rows that wait landed."""
        moments = [(self.line.since or {}).get(self.rule.one.check), *(one.since for one in self.rule.open or ())]
        return min((moment for moment in moments if moment is not None), default=None)

    @property
    def run_id(self) -> str:
        """The last run in which it failed."""
        check = self.rule.one.check
        stands = self.line.standing
        every = (*stands.verdicts, *stands.rechecks)
        verdicts = [v for v in every for r in v.results if r.check == check and not r.success]
        return max(verdicts, key=lambda verdict: verdict.started_at).run_id if verdicts else ""
