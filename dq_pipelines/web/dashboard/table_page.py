"""Collects the content of a table's page: its rules, its runs, and its columns over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dq_pipelines.history.queries.last_runs import BatchSummary, last_runs
from dq_pipelines.history.queries.series import columns_measured
from dq_pipelines.history.queries.trend import column_trend, trend
from dq_pipelines.history.store.anomalies import anomaly_points
from dq_pipelines.history.store.attempts import Attempt, Attempts
from dq_pipelines.pipeline.quarantine.quarantine_summary import QuarantineSummary
from dq_pipelines.project import Table
from dq_pipelines.project.checked_rules import checked_rules
from dq_pipelines.web.dashboard import charts
from dq_pipelines.web.dashboard.charts import Chart
from dq_pipelines.web.dashboard.request_context import PageContext, RequestContext
from dq_pipelines.web.dashboard.table_summary import FIRST, POINTS, RUNS, TableSummary


@dataclass(frozen=True)
class TablePage(PageContext):
    """One table: its rules, its runs, and its columns over time."""

    line: TableSummary
    charts: Sequence[Chart]
    runs: Sequence[BatchSummary]
    #: its last attempts, newest first
    attempts: Sequence[Attempt]
    quarantine: QuarantineSummary
    #: columns with metrics, the one that is shown, and its charts
    columns: Sequence[str]
    column: str | None
    column_charts: Sequence[Chart]
    anomalies: Sequence[Chart]
    description: str = ""
    notes: Sequence[str] = ()


def table_page(visit: RequestContext, key: str, column: str | None = None) -> TablePage | None:
    """A table's page; None if it never ran, or the caller may not view it. For an unknown column, the first one is shown."""
    stands = visit.standing(key)
    if stands is None:
        return None
    history, since = visit.history, visit.since
    lake = visit.site.lake_now([key])
    found = trend(history, [key], points=POINTS, since=since)
    columns = columns_measured(history, key)
    chosen = column if column in columns else _first_column(visit.table(key), columns)
    measured = column_trend(history, key, chosen, points=POINTS, since=since) if chosen else []
    held = anomaly_points(history, key, since=since, limit=POINTS)
    return TablePage(
        visit,
        visit.line(stands, lake, found),
        [charts.score(found), charts.rows(found)] if found else [],
        last_runs(history, [key], RUNS),
        Attempts(history).last([key], FIRST),
        lake.quarantines.get(key, QuarantineSummary(key)),
        columns,
        chosen,
        charts.column(measured, chosen) if chosen else [],
        [charts.anomaly(points, number) for number, points in enumerate(held)],
        visit.description(key),
        (*visit.known.notes, *lake.notes),
    )


def _first_column(table: Table | None, columns: Sequence[str]) -> str | None:
    """The column that is shown at first: one that is watched, then one with a rule on its values, then any but a key."""
    if table is None or table.is_gold:
        return columns[0] if columns else None
    watched = [rule.column for rule in table.anomalies if rule.column]
    judged = [rule.column_label for rule in checked_rules(table) if "between" in str(rule.type)]
    keys = set(table.landed.silver.keys)
    others = [name for name in columns if name not in keys]
    return next((name for name in (*watched, *judged, *others, *columns) if name in columns), None)
