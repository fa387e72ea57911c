"""Aggregates verdicts over time into at most as many points as a chart shows; the database does the work.

`series` returns one point per batch instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dq_pipelines.history.store.filters import ON_BATCHES, SCORED, SET_ASIDE, one_if
from dq_pipelines.history.store.schema import COLUMN_METRICS, RESULTS, VERDICTS
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True)
class TrendPoint:
    """Consecutive verdicts of one table, aggregated; a single verdict where there are few."""

    table: str
    #: when the first and the last of them began
    since: datetime
    until: datetime
    runs: int
    #: number of verdicts that were blocked or had a failure (see `store.status.is_failure`)
    bad: int
    #: number of verdicts with any failed rule
    failed: int
    blocked: int
    #: in percent: the mean, and the lowest
    score: float
    worst: float
    #: sums of rows
    rows_in: int
    published: int
    refused: int
    dropped: int
    #: the run of the last of them
    run_id: str


@dataclass(frozen=True)
class ColumnTrendPoint:
    """Metrics of one column in consecutive batches, aggregated; a single batch where there are few."""

    since: datetime
    until: datetime
    runs: int
    #: number of batches that were blocked, or in which what is published fails a rule on the column
    bad: int
    #: mean, minimum and maximum of the batches' means; None where the column has no mean
    mean: float | None
    lowest: float | None
    highest: float | None
    #: mean of the batches' standard deviations
    standard_deviation: float | None
    #: sums of values
    outlier_count: int | None
    count: int
    null_count: int
    run_id: str
    #: the partition of the last of them; None in a table without partitions
    partition: str | None = None


@dataclass(frozen=True)
class RuleTrendPoint:
    """Results of one rule in consecutive verdicts, aggregated; a single verdict where there are few."""

    since: datetime
    until: datetime
    runs: int
    failed: int
    #: sum of rows; None for a rule on the whole table
    unexpected_count: int | None
    #: sum of rows with a value
    judged_count: int
    #: the lowest score, 0 to 1
    worst: float
    run_id: str


def trend(
    history: History, tables: Sequence[str] | None = None, *, points: int = 200, since: datetime | None = None
) -> list[TrendPoint]:
    """Returns at most `points` points of each table (all tables by default), by table, oldest first."""
    if not history.is_begun:
        return []
    chosen = sa.true() if tables is None else VERDICTS.c.table.in_(tables)
    whole = ("rows_in", "published", "refused", "dropped")
    # Grouped by key and joined to the table itself, SQLite reads both in key order and sorts nothing.
    judged = (
        sa.select(
            VERDICTS.c.id,
            (100 * sa.func.coalesce(sa.func.avg(SCORED), 1.0)).label("score"),
            sa.func.max(one_if(~RESULTS.c.success & (RESULTS.c.severity == "critical") & ~SET_ASIDE)).label("critical"),
            sa.func.max(one_if(~RESULTS.c.success)).label("failing"),
        )
        .outerjoin_from(VERDICTS, RESULTS, RESULTS.c.verdict_id == VERDICTS.c.id)
        .where(*_chosen(chosen, since))
        .group_by(VERDICTS.c.id)
        .subquery("judged")
    )
    every = sa.select(VERDICTS, judged.c.score, judged.c.critical, judged.c.failing, _part(points))
    parted = every.join_from(judged, VERDICTS, VERDICTS.c.id == judged.c.id).subquery("parted")
    wanted = (
        sa.select(
            parted.c.table,
            *_span(parted),
            sa.func.sum(one_if(parted.c.blocked | (parted.c.critical == 1))).label("bad"),
            sa.func.sum(one_if(parted.c.blocked | (parted.c.failing == 1))).label("failed"),
            sa.func.sum(one_if(parted.c.blocked)).label("blocked"),
            sa.func.avg(parted.c.score).label("score"),
            sa.func.min(parted.c.score).label("worst"),
            *(sa.func.sum(parted.c[name]).label(name) for name in whole),
        )
        .group_by(parted.c.table, parted.c.part)
        .order_by(parted.c.table, parted.c.part)
    )
    return [
        TrendPoint(**_without_last(row) | {name: int(row[name]) for name in whole}) for row in _rows(history, wanted)
    ]


def column_trend(
    history: History, table: str, column: str, *, points: int = 200, since: datetime | None = None
) -> list[ColumnTrendPoint]:
    """Returns at most `points` points of the batches in which the column was measured, oldest first."""
    if not history.is_begun:
        return []
    measured = sa.exists().where(COLUMN_METRICS.c.verdict_id == VERDICTS.c.id, COLUMN_METRICS.c.column == column)
    parted = _parted(points, (VERDICTS.c.table == table) & measured, since)
    failing = sa.exists().where(
        RESULTS.c.verdict_id == parted.c.id, RESULTS.c.column == column, ~RESULTS.c.success, ~SET_ASIDE
    )
    of = COLUMN_METRICS.c
    wanted = (
        sa.select(
            *_span(parted),
            sa.func.sum(one_if(parted.c.blocked | failing)).label("bad"),
            sa.func.avg(of.mean).label("mean"),
            sa.func.min(of.mean).label("lowest"),
            sa.func.max(of.mean).label("highest"),
            sa.func.avg(of.standard_deviation).label("standard_deviation"),
            *(sa.func.sum(of[name]).label(name) for name in ("outlier_count", "count", "null_count")),
        )
        .join_from(parted, COLUMN_METRICS, (of.verdict_id == parted.c.id) & (of.column == column))
        .group_by(parted.c.part)
        .order_by(parted.c.part)
    )
    return [ColumnTrendPoint(**_without_last(row)) for row in _rows(history, wanted, VERDICTS.c.partition)]


def rule_trend(
    history: History, table: str, check: str, *, points: int = 200, since: datetime | None = None
) -> list[RuleTrendPoint]:
    """Returns at most `points` points of the verdicts in which the rule was judged, oldest first."""
    if not history.is_begun:
        return []
    judged = sa.exists().where(RESULTS.c.verdict_id == VERDICTS.c.id, RESULTS.c.check == check)
    parted = _parted(points, (VERDICTS.c.table == table) & judged, since)
    of = RESULTS.c
    wanted = (
        sa.select(
            *_span(parted),
            sa.func.sum(one_if(~of.success)).label("failed"),
            sa.func.sum(of.unexpected_count).label("unexpected_count"),
            sa.func.sum(sa.func.coalesce(of.element_count, 0) - sa.func.coalesce(of.missing_count, 0)).label(
                "judged_count"
            ),
            sa.func.min(of.score).label("worst"),
        )
        .join_from(parted, RESULTS, (of.verdict_id == parted.c.id) & (of.check == check))
        .group_by(parted.c.part)
        .order_by(parted.c.part)
    )
    return [RuleTrendPoint(**_without_last(row)) for row in _rows(history, wanted)]


def _parted(points: int, chosen: sa.ColumnElement[bool], since: datetime | None) -> sa.Subquery:
    """Returns the chosen verdicts, each with the number of its point."""
    return sa.select(VERDICTS, _part(points)).where(*_chosen(chosen, since)).subquery("parted")


def _part(points: int) -> sa.ColumnElement[int]:
    """Returns the number of a verdict's point: each point has equally many verdicts."""
    order = (VERDICTS.c.started_at, VERDICTS.c.id)
    return sa.func.ntile(points).over(partition_by=VERDICTS.c.table, order_by=order).label("part")


def _chosen(chosen: sa.ColumnElement[bool], since: datetime | None) -> list[sa.ColumnElement[bool]]:
    """Restricts the chosen verdicts to those on batches, without replays and re-checks."""
    wanted = [chosen, *ON_BATCHES]
    return wanted if since is None else [*wanted, VERDICTS.c.started_at >= since]


def _span(parted: sa.Subquery) -> list[sa.ColumnElement[Any]]:
    return [
        sa.func.min(parted.c.started_at).label("since"),
        sa.func.max(parted.c.started_at).label("until"),
        sa.func.count().label("runs"),
        sa.func.max(parted.c.id).label("last"),
    ]


def _rows(history: History, wanted: sa.Select[Any], *more: sa.ColumnElement[Any]) -> list[dict[str, Any]]:
    """Returns the rows of a query by point, each with the run of its last verdict, and with `more` of that verdict."""
    points = wanted.subquery("points")
    with_run = sa.select(points, VERDICTS.c.run_id, *more).join_from(points, VERDICTS, VERDICTS.c.id == points.c.last)
    with history.engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(with_run).mappings()]
    return sorted(rows, key=lambda row: (row.get("table", ""), row["until"], row["last"]))


def _without_last(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "last"}
