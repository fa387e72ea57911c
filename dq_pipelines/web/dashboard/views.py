"""What each page says: standings, trends and quarantine put together. How it looks belongs in templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from dq_pipelines.history.anomalies import anomaly_points
from dq_pipelines.history.pulse import pulse
from dq_pipelines.history.runs import RunLine, last_runs
from dq_pipelines.history.scores import Score, score_of, score_of_all
from dq_pipelines.history.series import columns_measured
from dq_pipelines.history.standing import RuleStanding, TableStanding, standing, standings
from dq_pipelines.history.trend import Stretch, column_trend, rule_trend, trend
from dq_pipelines.layers.healing import Chosen
from dq_pipelines.layers.present import as_of_now
from dq_pipelines.layers.quarantine import cells_in
from dq_pipelines.layers.waiting import Quarantine, Reason, a_few
from dq_pipelines.layers.work import checked_rules
from dq_pipelines.project import Project
from dq_pipelines.rules.base import Rule
from dq_pipelines.rules.clock import now
from dq_pipelines.rules.render import as_yaml, check_names
from dq_pipelines.web.dashboard import charts
from dq_pipelines.web.dashboard.charts import Chart
from dq_pipelines.web.dashboard.site import Site

#: Points of a chart, of a table's little one, runs of a list, failing rows shown, and what of a list is seen at first.
POINTS, SPARKS, RUNS, ROWS, FIRST = 200, 40, 50, 20, 10

#: How far back charts go, by what an address says.
SPANS: Mapping[str, timedelta | None] = {
    "1": timedelta(days=1), "7": timedelta(days=7), "30": timedelta(days=30), "90": timedelta(days=90), "all": None,
}  # fmt: skip
SPAN = "30"


@dataclass(frozen=True)
class Span:
    """How far back charts go."""

    name: str = SPAN

    def since(self, at: datetime) -> datetime | None:
        back = SPANS[self.name]
        return None if back is None else at - back


@dataclass(frozen=True)
class Line:
    """One table at a glance."""

    standing: TableStanding
    domain: str
    #: how its score went, oldest first
    spark: Sequence[Stretch] = ()
    #: since when its rules fail, by check
    since: Mapping[str, datetime] | None = None

    @property
    def level(self) -> str:
        """`blocked`, `bad` (a critical rule failed), `warn` (another did), `good`."""
        of = self.standing
        return "blocked" if of.blocked else "bad" if of.is_alarming else "warn" if of.failed else "good"

    @property
    def rank(self) -> tuple[int, float, str]:
        """Sorts the worst first."""
        return ("blocked", "bad", "warn", "good").index(self.level), self.standing.score, self.standing.table

    @property
    def failing(self) -> list[Failing]:
        return [Failing(self, rule) for rule in self.standing.failed]

    @property
    def score(self) -> Score:
        """In all and by dimension."""
        return score_of(self.standing)

    @property
    def bad_since(self) -> datetime | None:
        return min((self.since or {}).values(), default=None)


@dataclass(frozen=True)
class Failing:
    """A rule that fails now."""

    line: Line
    rule: RuleStanding

    @property
    def table(self) -> str:
        return self.line.standing.table

    @property
    def since(self) -> datetime | None:
        return (self.line.since or {}).get(self.rule.one.check)

    @property
    def run_id(self) -> str:
        """The last run in which it failed."""
        check = self.rule.one.check
        verdicts = [v for v in self.line.standing.verdicts for r in v.results if r.check == check and not r.success]
        return max(verdicts, key=lambda verdict: verdict.started_at).run_id if verdicts else ""


@dataclass(frozen=True)
class Overview:
    """The first page: is everything good, what fails, since when."""

    at: datetime
    token: str
    span: Span
    lines: Sequence[Line]
    unjudged: Sequence[str]
    runs: Sequence[RunLine]
    quarantines: Sequence[Quarantine]
    charts: Sequence[Chart]
    #: rows of all tables within the span: in, and refused
    rows_in: int
    refused: int
    notes: Sequence[str] = ()

    @cached_property
    def failing(self) -> list[Failing]:
        """The worst first, and of those that are alike, what failed last."""
        every = [one for line in self.lines for one in line.failing]
        return sorted(every, key=lambda one: (one.rule.rank[:2], -(one.since or self.at).timestamp(), one.table))

    @cached_property
    def domains(self) -> list[tuple[str, int, Score]]:
        """Each domain with its number of tables and its score, by name."""
        found = []
        for name in sorted({line.domain for line in self.lines}):
            of = [line.standing for line in self.lines if line.domain == name]
            if (one := score_of_all(of)) is not None:
                found.append((name, len(of), one))
        return found

    def count(self, *levels: str) -> int:
        return sum(line.level in levels for line in self.lines)

    @property
    def score(self) -> float | None:
        """In percent: the mean of the tables' scores."""
        scores = [line.standing.score for line in self.lines]
        return sum(scores) / len(scores) if scores else None

    @property
    def waiting(self) -> int:
        return sum(one.open for one in self.quarantines)

    @property
    def waiting_reasons(self) -> list[tuple[str, str, str | None, list[Reason]]]:
        """Table, rule, column and their reasons by day, most rows first."""
        every = [row for one in self.quarantines for row in one.by_reason]
        return sorted(every, key=lambda row: -sum(reason.rows for reason in row[3]))

    @property
    def last(self) -> datetime | None:
        return self.runs[0].at if self.runs else None


def overview(site: Site, span: Span, only: Sequence[str] | None = None) -> Overview:
    """The first page; of some tables, where a report is of these."""
    history, at = site.stores.history, now()
    token = pulse(history)
    known = site.known()
    every = standings(history) if history.is_begun else []
    keys = {table.key for table in known.project} | {each.table for each in every}
    lake = site.lake_now(keys)
    shown = [as_of_now(each, lake.asides) for each in every if only is None or each.table in only]
    names = [each.table for each in shown]
    found = trend(history, names, points=SPARKS, since=span.since(at))
    lines = [_line(site, known.project, each, [one for one in found if one.table == each.table]) for each in shown]
    unjudged = sorted(key for key in keys - {each.table for each in every} if only is None or key in only)
    quarantines = [lake.quarantines[name] for name in names if name in lake.quarantines]
    counts = {key: count for key, count in lake.rows.items() if only is None or key.partition("/")[2] in _bare(only)}
    drawn = [charts.scores(found), charts.layers(counts), charts.quarantine(quarantines, at)]
    return Overview(
        at, token, span, lines, unjudged,
        [run for run in last_runs(history, limit=RUNS) if only is None or run.table in only],
        [one for one in quarantines if one.statuses],
        [chart for chart in drawn if chart.points],
        sum(one.rows_in for one in found), sum(one.refused for one in found),
        (*known.notes, *lake.notes),
    )  # fmt: skip


@dataclass(frozen=True)
class Brief:
    """One table as a report tells of it: where it stands, without its past."""

    line: Line
    quarantine: Quarantine
    description: str


def briefs(site: Site, first: Overview) -> list[Brief]:
    """The tables of an overview, in its order."""
    waiting = {one.table: one for one in first.quarantines}
    names = [(line, line.standing.table) for line in first.lines]
    return [Brief(line, waiting.get(name, Quarantine(name)), _description(site, name)) for line, name in names]


@dataclass(frozen=True)
class TablePage:
    """One table: its rules, its runs, its columns over time."""

    at: datetime
    token: str
    span: Span
    line: Line
    charts: Sequence[Chart]
    runs: Sequence[RunLine]
    quarantine: Quarantine
    #: columns that were measured, the one that is shown, and its charts
    columns: Sequence[str]
    column: str | None
    column_charts: Sequence[Chart]
    anomalies: Sequence[Chart]
    description: str = ""
    notes: Sequence[str] = ()


def table_page(site: Site, key: str, span: Span, column: str | None = None) -> TablePage | None:
    """A table's page; None for one without a verdict. An unknown column is the first."""
    history, at = site.stores.history, now()
    token = pulse(history)
    known = site.known()
    stands = standing(history, key) if history.is_begun else None
    if stands is None:
        return None
    lake = site.lake_now([key])
    since = span.since(at)
    found = trend(history, [key], points=POINTS, since=since)
    line = _line(site, known.project, as_of_now(stands, lake.asides), found)
    columns = columns_measured(history, key)
    chosen = column if column in columns else columns[0] if columns else None
    measured = column_trend(history, key, chosen, points=POINTS, since=since) if chosen else []
    drawn = [charts.score(found), charts.rows(found)] if found else []
    held = anomaly_points(history, key, since=since, limit=POINTS)
    return TablePage(
        at, token, span, line, drawn, last_runs(history, key, RUNS), lake.quarantines.get(key, Quarantine(key)),
        columns, chosen, charts.column(measured, chosen) if chosen else [],
        [charts.anomaly(points, number) for number, points in enumerate(held)],
        _description(site, key), (*known.notes, *lake.notes),
    )  # fmt: skip


@dataclass(frozen=True)
class RulePage:
    """One rule of one table: what it says, what it found over time, and some rows that failed it."""

    at: datetime
    token: str
    span: Span
    line: Line
    failing: Failing
    #: as YAML has it, and what its failure does; None where the project has no such rule
    yaml: str | None
    action: str | None
    chart: Chart
    #: quarantined rows, those that landed last first
    rows: Sequence[Mapping[str, Any]]
    cells: Sequence[str]
    #: where else to look, in a sentence
    elsewhere: str
    notes: Sequence[str] = ()


def rule_page(site: Site, key: str, check: str, span: Span) -> RulePage | None:
    """A rule's page; None for one that has not been judged."""
    history, at = site.stores.history, now()
    token = pulse(history)
    known = site.known()
    stands = standing(history, key) if history.is_begun else None
    if stands is None:
        return None
    stands = as_of_now(stands, site.lake_now([key]).asides)
    one = next((rule for rule in stands.rules if rule.one.check == check), None)
    if one is None:
        return None
    rule = rules_by_check(known.project, key).get(check)
    action = rule.action if rule is not None else None
    rows = a_few(site.stores.lake, key, Chosen(one.one.rule, one.one.column), ROWS)
    line = _line(site, known.project, stands)
    return RulePage(
        at, token, span, line, Failing(line, one), as_yaml(rule) if rule is not None else None, action,
        charts.rule(rule_trend(history, key, check, points=POINTS, since=span.since(at))),
        rows, cells_in(rows[0]) if rows else (), _elsewhere(key, one, action), known.notes,
    )  # fmt: skip


def rules_by_check(project: Project, key: str) -> dict[str, Rule]:
    """The rules of a table by the name of their check; none of a table that the project does not have."""
    table = project.by_key(key)
    if table is None:
        return {}
    rules = checked_rules(table)
    return dict(zip(check_names(rules), rules, strict=True))


def _elsewhere(key: str, rule: RuleStanding, action: str | None) -> str:
    if rule.unexpected_count is None:
        return "This rule is about the table as a whole: no single row fails it."
    if action == "warn":
        return f"This rule only warns: the rows that fail it are published in {key}, and Dagster shows some with its check."
    if action == "drop":
        return "This rule drops the rows that fail it: they are counted, and kept in bronze alone."
    if rule.blocks:
        return "Nothing of the batch was published: its rows wait in bronze, and Dagster shows some with its check."
    return "No refused row of this rule is in quarantine."


def _line(site: Site, project: Project, stands: TableStanding, spark: Sequence[Stretch] = ()) -> Line:
    table = project.by_key(stands.table)
    return Line(stands, table.domain if table is not None else "", spark, site.failing_since(stands))


def _description(site: Site, key: str) -> str:
    table = site.known().project.by_key(key)
    return (table.model.description or "") if table is not None else ""


def _bare(keys: Sequence[str]) -> set[str]:
    return {key.partition("/")[2] for key in keys}
