"""The tabs of a table's page: one function each, from a visit to what the tab shows. The tabs of files are in the routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dq_pipelines.history.queries.last_runs import BatchSummary, last_runs
from dq_pipelines.history.queries.rule_status import RuleState
from dq_pipelines.history.queries.series import columns_measured
from dq_pipelines.history.queries.trend import column_trend, trend
from dq_pipelines.history.store.anomalies import anomaly_points
from dq_pipelines.history.store.attempts import Attempt, Attempts
from dq_pipelines.project.checked_rules import rules_by_check
from dq_pipelines.web.dashboard import charts, metric_charts
from dq_pipelines.web.dashboard.charts import Chart
from dq_pipelines.web.dashboard.column_choice import first_column
from dq_pipelines.web.dashboard.table_data import data_tab
from dq_pipelines.web.dashboard.table_lineage import lineage_tab
from dq_pipelines.web.dashboard.table_page import TableVisit
from dq_pipelines.web.dashboard.table_summary import FIRST, POINTS, RUNS


@dataclass(frozen=True)
class StatusTab:
    """What happened last, and the score and the rows of batches over time."""

    attempts: Sequence[Attempt]
    charts: Sequence[Chart]


def status_tab(of: TableVisit) -> StatusTab:
    visit = of.visit
    found = trend(visit.history, [of.key], points=POINTS, since=visit.since)
    drawn = [charts.score(found), charts.rows(found)] if found else []
    return StatusTab(Attempts(visit.history).last([of.key], FIRST // 2), drawn)


@dataclass(frozen=True)
class RuleLine:
    """One rule or default check of a table, judged or not."""

    check: str
    title: str
    rule: str
    column: str | None
    severity: str
    #: what its failure does; "" for checks that every table has
    action: str
    #: None before it was judged
    state: RuleState | None


def rules_tab(of: TableVisit) -> list[RuleLine]:
    """All rules, the worst first, then those that were never judged."""
    titles, table = of.visit.titles(of.key), of.page.table
    rules = rules_by_check(table) if table is not None else {}
    judged = [
        RuleLine(one.check, of.visit.title(of.key, one), one.rule, one.column, one.severity, one.action or "", state)
        for state in of.page.line.standing.rules
        for one in [state.one]
    ]
    known = {line.check for line in judged}
    waiting = [
        RuleLine(check, titles[check], str(rule.type), rule.column_label, rule.severity, rule.action, None)
        for check, rule in rules.items()
        if check not in known
    ]
    return [*judged, *waiting]


@dataclass(frozen=True)
class BatchesTab:
    """The last verdicts and attempts."""

    runs: Sequence[BatchSummary]
    attempts: Sequence[Attempt]


def batches_tab(of: TableVisit) -> BatchesTab:
    history = of.visit.history
    return BatchesTab(last_runs(history, [of.key], RUNS), Attempts(history).last([of.key], FIRST))


@dataclass(frozen=True)
class MetricsTab:
    """The metrics of one column by batch, and what is watched for anomalies."""

    columns: Sequence[str]
    column: str | None
    charts: Sequence[Chart]
    anomalies: Sequence[Chart]


def metrics_tab(of: TableVisit) -> MetricsTab:
    """The metrics of the column that the address names; of an unknown one, those of the first."""
    visit, asked = of.visit, of.asked.get("column")
    columns = columns_measured(visit.history, of.key)
    with_mean = {name for name, has_mean in columns.items() if has_mean}
    chosen = asked if asked in columns else first_column(of.page.table, list(columns), with_mean)
    measured = column_trend(visit.history, of.key, chosen, points=POINTS, since=visit.since) if chosen else []
    held = anomaly_points(visit.history, of.key, since=visit.since, limit=POINTS)
    watched = [metric_charts.anomaly(points, number) for number, points in enumerate(held)]
    return MetricsTab(list(columns), chosen, metric_charts.column(measured, chosen) if chosen else [], watched)


def quarantine_tab(of: TableVisit) -> Sequence[Any]:
    """The reasons of open rows: table, rule, column, and rows by day."""
    return of.page.quarantine.by_reason


#: By tab, what collects its content.
COLLECTORS: Mapping[str, Callable[[TableVisit], Any]] = {
    "status": status_tab,
    "rules": rules_tab,
    "data": data_tab,
    "lineage": lineage_tab,
    "batches": batches_tab,
    "quarantine": quarantine_tab,
    "metrics": metrics_tab,
}
