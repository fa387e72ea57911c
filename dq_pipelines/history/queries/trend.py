"""How tables have done over time, in as many points as a chart can show: the database adds up, however long the history.

Metrics batch by batch, without adding up, belong in `series`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dq_pipelines.history.store.filters import ON_BATCHES, SCORED, one
from dq_pipelines.history.store.schema import COLUMN_METRICS, RESULTS, VERDICTS
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True)
class TrendPoint:
    """Verdicts of one table that followed each other, taken together; a single one where there are few."""

    table: str
    #: when the first and the last of them began
    since: datetime
    until: datetime
    runs: int
    #: how many were blocked, or had a critical rule fail
    bad: int
    #: how many had any rule fail
    failed: int
    blocked: int
    #: in percent: the mean, and the lowest
    score: float
    worst: float
    #: rows, added up
    rows_in: int
    published: int
    refused: int
    dropped: int
    #: the run of the last of them
    run_id: str


@dataclass(frozen=True)
class ColumnTrendPoint:
    """What one column was like in batches that followed each other; a single one where there are few."""

    since: datetime
    until: datetime
    runs: int
    #: how many were blocked, or had a rule on the column fail
    bad: int
    #: of the batches' means: their mean, the least and the greatest; None where the column has no mean
    mean: float | None
    lowest: float | None
    highest: float | None
    #: the mean of the batches' own
    standard_deviation: float | None
    #: values, added up
    outlier_count: int | None
    count: int
    null_count: int
    run_id: str


@dataclass(frozen=True)
class RuleTrendPoint:
    """What one rule found in verdicts that followed each other; a single one where there are few."""

    since: datetime
    until: datetime
    runs: int
    failed: int
    #: rows, added up; None for a rule on the whole table
    unexpected_count: int | None
    #: rows that had a value to be judged
    judged_count: int
    #: 0 to 1, the lowest
    worst: float
    run_id: str


def trend(
    history: History, tables: Sequence[str] | None = None, *, points: int = 200, since: datetime | None = None
) -> list[TrendPoint]:
    """By table, oldest first: at most `points` stretches of each table (of every one, unless told)."""
    if not history.is_begun:
        return []
    chosen = sa.true() if tables is None else VERDICTS.c.table.in_(tables)
    whole = ("rows_in", "published", "refused", "dropped")
    # Grouped by the key alone, and joined to the table itself: SQLite then walks both by their keys and sorts nothing.
    judged = (
        sa.select(
            VERDICTS.c.id,
            (100 * sa.func.coalesce(sa.func.avg(SCORED), 1.0)).label("score"),
            sa.func.max(one(~RESULTS.c.success & (RESULTS.c.severity == "critical"))).label("critical"),
            sa.func.max(one(~RESULTS.c.success)).label("failing"),
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
            sa.func.sum(one(parted.c.blocked | (parted.c.critical == 1))).label("bad"),
            sa.func.sum(one(parted.c.blocked | (parted.c.failing == 1))).label("failed"),
            sa.func.sum(one(parted.c.blocked)).label("blocked"),
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
    """Oldest first: at most `points` stretches of the batches in which the column was measured."""
    if not history.is_begun:
        return []
    measured = sa.exists().where(COLUMN_METRICS.c.verdict_id == VERDICTS.c.id, COLUMN_METRICS.c.column == column)
    parted = _parted(points, (VERDICTS.c.table == table) & measured, since)
    failing = sa.exists().where(RESULTS.c.verdict_id == parted.c.id, RESULTS.c.column == column, ~RESULTS.c.success)
    of = COLUMN_METRICS.c
    wanted = (
        sa.select(
            *_span(parted),
            sa.func.sum(one(parted.c.blocked | failing)).label("bad"),
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
    return [ColumnTrendPoint(**_without_last(row)) for row in _rows(history, wanted)]


def rule_trend(
    history: History, table: str, check: str, *, points: int = 200, since: datetime | None = None
) -> list[RuleTrendPoint]:
    """Oldest first: at most `points` stretches of the verdicts in which the rule was judged."""
    if not history.is_begun:
        return []
    judged = sa.exists().where(RESULTS.c.verdict_id == VERDICTS.c.id, RESULTS.c.check == check)
    parted = _parted(points, (VERDICTS.c.table == table) & judged, since)
    of = RESULTS.c
    wanted = (
        sa.select(
            *_span(parted),
            sa.func.sum(one(~of.success)).label("failed"),
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
    """The verdicts that are meant, each with the number of the stretch that it is in."""
    return sa.select(VERDICTS, _part(points)).where(*_chosen(chosen, since)).subquery("parted")


def _part(points: int) -> sa.ColumnElement[int]:
    """The number of the stretch that a verdict is in: as many verdicts in one as in another."""
    order = (VERDICTS.c.started_at, VERDICTS.c.id)
    return sa.func.ntile(points).over(partition_by=VERDICTS.c.table, order_by=order).label("part")


def _chosen(chosen: sa.ColumnElement[bool], since: datetime | None) -> list[sa.ColumnElement[bool]]:
    """Of the verdicts that are meant, those on batches: no replays, nothing that was judged as it stood."""
    wanted = [chosen, *ON_BATCHES]
    return wanted if since is None else [*wanted, VERDICTS.c.started_at >= since]


def _span(parted: sa.Subquery) -> list[sa.ColumnElement[Any]]:
    return [
        sa.func.min(parted.c.started_at).label("since"),
        sa.func.max(parted.c.started_at).label("until"),
        sa.func.count().label("runs"),
        sa.func.max(parted.c.id).label("last"),
    ]


def _rows(history: History, wanted: sa.Select[Any]) -> list[dict[str, Any]]:
    """The rows of a query by stretch, each with the run of its last verdict."""
    stretches = wanted.subquery("stretches")
    run = sa.select(stretches, VERDICTS.c.run_id).join_from(stretches, VERDICTS, VERDICTS.c.id == stretches.c.last)
    with history.engine.connect() as connection:
        found = [dict(row) for row in connection.execute(run).mappings()]
    return sorted(found, key=lambda row: (row.get("table", ""), row["until"], row["last"]))


def _without_last(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "last"}
