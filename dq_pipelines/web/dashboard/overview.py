"""Collects the content of the overview page and the report: status of tables, failing rules, quarantine, runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from dq_pipelines.errors import PublishError
from dq_pipelines.history.queries.last_runs import BatchSummary, last_runs
from dq_pipelines.history.queries.scores import Score, score_of_all
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.queries.totals import rows_in
from dq_pipelines.history.queries.trend import TrendPoint, trend
from dq_pipelines.history.queries.wording import NOTHING_YET
from dq_pipelines.history.store.status import STATUSES, Status, worst
from dq_pipelines.pipeline.current_status import lost_history, with_current_state
from dq_pipelines.pipeline.quarantine.quarantine_summary import QuarantineSummary, Reason
from dq_pipelines.web.dashboard import charts
from dq_pipelines.web.dashboard.charts import Chart
from dq_pipelines.web.dashboard.request_context import PageContext, RequestContext
from dq_pipelines.web.dashboard.table_summary import RUNS, Failing, TableSummary

#: Points of a table's sparkline.
SPARKS = 40


@dataclass(frozen=True)
class Overview(PageContext):
    """The overview page: status of tables, failing rules, quarantine and runs."""

    lines: Sequence[TableSummary]
    unjudged: Sequence[str]
    runs: Sequence[BatchSummary]
    quarantines: Sequence[QuarantineSummary]
    charts: Sequence[Chart]
    #: incoming and refused rows of all tables within the time range
    rows_in: int
    refused: int
    notes: Sequence[str] = ()
    #: tables that are no longer in YAML
    removed: Sequence[TableStatus] = ()

    @cached_property
    def failing(self) -> list[Failing]:
        """Failing rules, the worst first, then the latest first."""
        every = [one for line in self.lines for one in line.failing]
        return sorted(every, key=lambda one: (one.rule.rank[:2], -(one.since or self.at).timestamp(), one.table))

    @cached_property
    def domains(self) -> list[tuple[str, int, Score]]:
        """Each domain with its number of tables and its score, sorted by name."""
        found = []
        for name in sorted({line.domain for line in self.lines}):
            of = [line.standing for line in self.lines if line.domain == name]
            if (one := score_of_all(of)) is not None:
                found.append((name, len(of), one))
        return found

    @cached_property
    def counts(self) -> dict[Status, int]:
        """The number of tables per status, the worst first, including tables that never ran."""
        found = [*(line.status for line in self.lines), *("never_run" for _ in self.unjudged)]
        return {status: found.count(status) for status in STATUSES if status in found}

    @property
    def status(self) -> Status:
        """The status of the worst table that has run."""
        return worst([line.status for line in self.lines])

    @property
    def score(self) -> float | None:
        """In percent: the mean of the tables' scores."""
        scores = [line.standing.score for line in self.lines if line.standing.score is not None]
        return sum(scores) / len(scores) if scores else None

    @property
    def nothing(self) -> str:
        """The message if there is no table to show."""
        if self.visit.tables is None:
            return self._lost_history() or NOTHING_YET
        return "None of these tables has run yet." if self.unjudged else "There is no table that you may view."

    def _lost_history(self) -> str:
        known, lake = self.visit.known.project, self.visit.site.stores.lake
        try:
            return lost_history(lake, [table.key for table in known], [line.standing for line in self.lines])
        except PublishError as error:
            return f"Cannot check whether the history is lost: {error}"

    @property
    def waiting(self) -> int:
        return sum(one.open for one in self.quarantines)

    @property
    def waiting_reasons(self) -> list[tuple[str, str, str | None, list[Reason]]]:
        """Table, rule, column and their reasons by day, sorted by rows, most first."""
        every = [row for one in self.quarantines for row in one.by_reason]
        return sorted(every, key=lambda row: -sum(reason.rows for reason in row[3]))

    @property
    def last(self) -> datetime | None:
        return max((line.standing.at for line in self.lines), default=None)


def overview(visit: RequestContext) -> Overview:
    """The overview page."""
    every = visit.standings()
    judged = {each.table for each in every}
    known = {table.key for table in visit.known.project if visit.sees(table.key)}
    lake = visit.site.lake_now(known | judged)
    names = [each.table for each in every]
    found = trend(visit.history, names, points=SPARKS, since=visit.since)
    sparks: dict[str, list[TrendPoint]] = {name: [] for name in names}
    for one in found:
        sparks[one.table].append(one)
    lines = [
        visit.line(with_current_state(each, lake.asides, lake.quarantines.get(each.table)), sparks[each.table])
        for each in every
    ]
    quarantines = [lake.quarantines[name] for name in names if name in lake.quarantines]
    drawn = [charts.scores(found), charts.layers(lake.rows), charts.quarantine(quarantines, visit.at)]
    return Overview(
        visit,
        lines,
        sorted(known - judged),
        last_runs(visit.history, visit.tables, RUNS),
        [one for one in quarantines if one.statuses],
        [chart for chart in drawn if chart.points],
        *rows_in(visit.history, names, visit.since),
        (*visit.known.notes, *lake.notes),
        visit.removed(),
    )


@dataclass(frozen=True)
class Brief:
    """One table in the report: its current status, without its history."""

    line: TableSummary
    quarantine: QuarantineSummary
    description: str


def briefs(first: Overview) -> list[Brief]:
    """The tables of an overview for the report, in the same order."""
    waiting = {one.table: one for one in first.quarantines}
    names = [(line, line.standing.table) for line in first.lines]
    return [
        Brief(line, waiting.get(name, QuarantineSummary(name)), first.visit.description(name)) for line, name in names
    ]
