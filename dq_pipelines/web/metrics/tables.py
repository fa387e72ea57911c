"""Metrics of tables from history: rows by layer, execution time, scores, failed checks, open alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from dq_pipelines.errors import DqError
from dq_pipelines.history.alerts.alert import SEVERITIES
from dq_pipelines.history.alerts.alert_book import AlertBook
from dq_pipelines.history.queries.scores import score_of
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.queries.totals import DURATIONS, LastMeasured, Totals, last_measured, totals
from dq_pipelines.history.store.attempts import Attempts
from dq_pipelines.history.store.status import OUTCOMES, STATUSES
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.project import LeftOut, Project, Table

_LABELS = ("domain", "table")


@dataclass(frozen=True, eq=False)
class TablesCollector(Collector):
    """Queries history at each scrape, for the tables of the project; `dq_up` is whether it answered."""

    #: the project as its files are now
    project: Callable[[], Project]
    #: the current status of every table
    stands: Callable[[], list[TableStatus]]
    history: History

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("dq_up", "Whether a store answered", labels=["store"])
        try:
            found = list(self._families())
        except (DqError, sa.exc.SQLAlchemyError):
            found = []
        up.add_metric(["history"], float(bool(found)))
        yield from [up, *found]

    def _families(self) -> Iterator[Metric]:
        tables = list(self.project())
        sums, stands = totals(self.history), {one.table: one for one in self.stands()}
        shown: list[Table | LeftOut] = [*tables, *(one for one in self.project().left_out if one.key)]
        yield _statuses([(table, stands.get(table.key)) for table in shown])
        yield from _counters([(table, sums[table.key]) for table in tables if table.key in sums])
        yield from _gauges([(table, stands[table.key]) for table in tables if table.key in stands])
        yield _attempts(tables, Attempts(self.history).counts())
        measured = last_measured(self.history)
        yield from _measured([(table, measured[table.key]) for table in tables if table.key in measured])
        yield self._alerts()

    def _alerts(self) -> Metric:
        family = GaugeMetricFamily("dq_open_alerts", "Alerts that are open", labels=["event", "severity"])
        alerts = AlertBook(self.history).open() if self.history.is_begun else []
        for (event, severity), count in Counter((alert.event, alert.severity) for alert in alerts).items():
            family.add_metric([event, severity], count)
        return family


def _statuses(tables: Iterable[tuple[Table | LeftOut, TableStatus | None]]) -> Metric:
    """For each table, its status is 1 and every other status 0."""
    family = _gauge("dq_table_status", "The status of a table: 1 for the current status, 0 for the others", "status")
    for table, standing in tables:
        current = standing.status if standing is not None else "never_run"
        for status in STATUSES:
            family.add_metric([table.domain, table.name, status], float(status == current))
    return family


def _attempts(tables: Iterable[Table], counts: Mapping[tuple[str, str], int]) -> Metric:
    family = _counter(
        "dq_attempts", "Finished runs of a table by outcome, including those without a verdict", "outcome"
    )
    for table in tables:
        for outcome in OUTCOMES:
            if outcome != "running":
                family.add_metric([table.domain, table.name, outcome], counts.get((table.key, outcome), 0))
    return family


def _counters(tables: Iterable[tuple[Table, Totals]]) -> Iterator[Metric]:
    """Counters over all batches; their rates are those of rows, errors and work."""
    rows = _counter("dq_rows", "Rows by the layer that they went to; bronze has all incoming rows", "layer")
    dropped = _counter("dq_dropped_rows", "Rows that rules or steps dropped")
    batches = _counter("dq_batches", "Judged batches by outcome", "outcome")
    stages = _counter("dq_stage_seconds", "Execution time by stage", "stage")
    cpu = _counter("dq_cpu_seconds", "CPU time of the processes that worked on batches")
    success = _gauge("dq_last_success_timestamp_seconds", "When judging of the last published batch began")
    took = HistogramMetricFamily(
        "dq_batch_duration_seconds", "Execution time of batches, from the start of the work to its end", labels=_LABELS
    )
    for table, sums in tables:
        labels = [table.domain, table.name]
        layers = {"gold": sums.published} if table.is_gold else {"bronze": sums.rows_in, "silver": sums.published}
        for layer, count in (layers if table.is_gold else {**layers, "quarantine": sums.refused}).items():
            rows.add_metric([*labels, layer], count)
        # Steps that add rows make this negative, which a counter must not be.
        dropped.add_metric(labels, max(sums.dropped, 0))
        batches.add_metric([*labels, "published"], sums.published_batches)
        batches.add_metric([*labels, "blocked"], sums.blocked_batches)
        for stage, seconds in sums.stage_seconds.items():
            stages.add_metric([*labels, stage], seconds)
        cpu.add_metric(labels, sums.cpu_seconds)
        judged = sums.published_batches + sums.blocked_batches
        if sums.last_published_at is not None:
            success.add_metric(labels, sums.last_published_at.timestamp())
        ends = [*map(str, DURATIONS), "+Inf"]
        took.add_metric(labels, list(zip(ends, [*sums.durations, judged], strict=True)), sums.duration_seconds)
    yield from (rows, dropped, batches, stages, cpu, took, success)


def _gauges(tables: Iterable[tuple[Table, TableStatus]]) -> Iterator[Metric]:
    """The current state of tables, over all partitions of a partitioned table."""
    score = _gauge("dq_quality_score_ratio", "Quality score, 0 to 1: of all rules, and by dimension", "dimension")
    errors = _gauge("dq_error_ratio", "Share of refused rows in the last batches")
    failed = _gauge(
        "dq_failed_checks",
        "Failing rules: in the last batches, by open rows in quarantine, or by a re-check",
        "severity",
    )
    blocked = _gauge("dq_blocked_batches", "Blocked batches, which are not published until they are corrected")
    judged = _gauge("dq_last_verdict_timestamp_seconds", "When judging of the last batch began")
    last = _gauge("dq_last_batch_duration_seconds", "Execution time of the last batch")
    waiting = _gauge("dq_open_refusals", "Open refused rows in quarantine")
    for table, standing in tables:
        labels = [table.domain, table.name]
        if standing.open_rows is not None:
            waiting.add_metric(labels, standing.open_rows)
        if standing.latest is None or (of := score_of(standing)) is None:
            continue
        score.add_metric([*labels, "all"], of.total / 100)
        for dimension, percent in of.dimensions.items():
            score.add_metric([*labels, dimension], percent / 100)
        errors.add_metric(labels, standing.refused / standing.rows_in if standing.rows_in else 0.0)
        counts = Counter(rule.one.severity for rule in standing.failed)
        for severity in SEVERITIES:
            failed.add_metric([*labels, severity], counts[severity])
        blocked.add_metric(labels, len(standing.held_back))
        judged.add_metric(labels, standing.latest.started_at.timestamp())
        last.add_metric(labels, standing.latest.duration_seconds)
    yield from (score, errors, failed, blocked, judged, last, waiting)


def _measured(tables: Iterable[tuple[Table, LastMeasured]]) -> Iterator[Metric]:
    """Size, memory and freshness of the last published batches."""
    size = _gauge("dq_published_bytes", "Size of the files that the last batch published")
    memory = _gauge("dq_peak_memory_bytes", "Peak memory of the process that judged the last batch")
    newest = _gauge("dq_newest_row_timestamp_seconds", "When the newest row or input of the last batch was created")
    for table, last in tables:
        labels = [table.domain, table.name]
        if last.bytes is not None:
            size.add_metric(labels, last.bytes)
        if last.peak_memory_bytes is not None:
            memory.add_metric(labels, last.peak_memory_bytes)
        if last.freshness_seconds is not None:
            newest.add_metric(labels, last.began_at.timestamp() - last.freshness_seconds)
    yield from (size, memory, newest)


def _counter(name: str, description: str, *more: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, description, labels=[*_LABELS, *more])


def _gauge(name: str, description: str, *more: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, description, labels=[*_LABELS, *more])
