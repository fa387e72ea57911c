"""Reads the time series of a metric of a table or column, one point per batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

import sqlalchemy as sa

from dq_pipelines.history.store.filters import ON_BATCHES, ON_SINGLE_BATCHES, QUALITY_RESULTS, replaced
from dq_pipelines.history.store.schema import BATCH_METRICS, COLUMN_METRICS, RESULTS, VERDICTS
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.rules.core.base import Dimension

#: Quality dimensions. Each has a score; each rule names its dimension.
DIMENSIONS: tuple[str, ...] = get_args(Dimension)


@dataclass(frozen=True)
class Metric:
    """A metric that has a series."""

    name: str
    #: rows, bytes, seconds, percent (0 to 100), share (0 to 1), values, characters, or that of the column
    unit: str
    description: str
    of_column: bool = False


_OF_TABLES = (
    Metric("row_count", "rows", "rows that came in"),
    Metric("published_count", "rows", "rows that were published"),
    Metric("refused_count", "rows", "rows that went to quarantine"),
    Metric("dropped_count", "rows", "rows that rules or steps left out"),
    Metric("refused_share", "share", "error rate: refused rows of those that came in"),
    Metric("quality_score", "percent", "the mean of the rules' scores"),
    *(Metric(f"{name}_score", "percent", f"the mean score of the rules about {name}") for name in DIMENSIONS),
    Metric("duration_seconds", "seconds", "from the start of the work to its last commit"),
    Metric("bytes", "bytes", "size of the published files"),
    Metric("freshness_seconds", "seconds", "how old the newest row was, or the newest input"),
    Metric("cpu_seconds", "seconds", "user and system, of the whole process"),
    Metric("peak_memory_bytes", "bytes", "peak memory of the process so far"),
)
_OF_COLUMNS = (
    Metric("null_count", "rows", "rows without a value", of_column=True),
    Metric("null_share", "share", "rows without a value, of all", of_column=True),
    Metric("distinct_count", "values", "different values, estimated", of_column=True),
    Metric("distinct_share", "share", "different values, of all values", of_column=True),
    Metric("min", "column", "the least value", of_column=True),
    Metric("max", "column", "the greatest value", of_column=True),
    Metric("mean", "column", "the mean", of_column=True),
    Metric("standard_deviation", "column", "of the sample, with n - 1", of_column=True),
    *(
        Metric(f"p{percent:02}", "column", f"the value that {percent} % of all values do not exceed", of_column=True)
        for percent in (1, 5, 25, 50, 75, 95, 99)
    ),
    Metric("outlier_count", "values", "more than 3 standard deviations from the mean", of_column=True),
    Metric("outlier_share", "share", "outliers, of all values", of_column=True),
    Metric("robust_outlier_count", "values", "with a modified z-score above 3.5, by median and MAD", of_column=True),
    Metric("min_length", "characters", "the shortest text", of_column=True),
    Metric("mean_length", "characters", "the mean length of texts", of_column=True),
    Metric("max_length", "characters", "the longest text", of_column=True),
)

#: Every metric, by name.
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in (*_OF_TABLES, *_OF_COLUMNS)}


@dataclass(frozen=True)
class Point:
    """The value of a metric in one batch."""

    #: when its run began
    at: datetime
    value: float
    batch: str
    run_id: str
    partition: str | None = None


def series(
    history: History,
    table: str,
    metric: str,
    column: str | None = None,
    *,
    partition: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    including: str | None = None,
) -> list[Point]:
    """Returns the last `limit` points of a metric, oldest first: one per published batch, from its last verdict.

    `metric` is one of METRICS; metrics of columns need `column`. Re-checks, replays, reruns and blocked batches are no
    points, except the batch `including`. Raises KeyError for an unknown metric.
    """
    which = judged_batches(VerdictRange(table, partition, since, until, including))
    return [weighted.point for weighted in _weighted_points(history, metric, column, limit, which)]


@dataclass(frozen=True)
class WeightedPoint:
    """The value of a metric in one batch of a partition, weighted by its rows."""

    point: Point
    rows: int


def points_by_partition(
    history: History, table: str, metric: str, column: str | None = None, *, limit: int, including: str | None = None
) -> dict[str, list[WeightedPoint]]:
    """Returns the last `limit` points, by partition, of the batches that each partition consists of now."""
    by_partition: dict[str, list[WeightedPoint]] = {}
    which = published_parts(VerdictRange(table, including=including))
    for weighted in _weighted_points(history, metric, column, limit, which):
        if weighted.point.partition is not None:
            by_partition.setdefault(weighted.point.partition, []).append(weighted)
    return by_partition


def _weighted_points(
    history: History, metric: str, column: str | None, limit: int | None, which: Iterable[sa.ColumnElement[bool]]
) -> list[WeightedPoint]:
    value = _value(METRICS[metric])
    if not history.is_begun:
        return []
    whole = VERDICTS.c
    wanted = sa.select(whole.rows_in, whole.started_at, value, whole.batch, whole.run_id, whole.partition)
    if METRICS[metric].of_column:
        about = (COLUMN_METRICS.c.verdict_id == VERDICTS.c.id) & (COLUMN_METRICS.c.column == column)
        wanted = wanted.join_from(VERDICTS, COLUMN_METRICS, about)
    elif metric in BATCH_METRICS.c:
        wanted = wanted.join_from(VERDICTS, BATCH_METRICS, BATCH_METRICS.c.verdict_id == VERDICTS.c.id)
    wanted = wanted.where(*which, value.is_not(None))
    wanted = wanted.order_by(whole.started_at.desc(), whole.id.desc()).limit(limit)
    with history.engine.connect() as connection:
        rows = connection.execute(wanted).all()
    return [WeightedPoint(Point(at, float(value), *more), rows_in) for rows_in, at, value, *more in rows[::-1]]


@dataclass(frozen=True)
class Latest:
    """What the last published batch of a table measured."""

    table: str
    at: datetime
    batch: str
    run_id: str
    partition: str | None
    #: by metric, only those of tables; unmeasured ones are left out
    values: Mapping[str, float]


def latest(history: History, tables: Collection[str]) -> list[Latest]:
    """Returns the metrics of the last published batch of each of these tables, by table."""
    if not history.is_begun:
        return []
    last = sa.select(sa.func.max(VERDICTS.c.id)).where(
        VERDICTS.c.table.in_(tables), ~VERDICTS.c.blocked, *ON_SINGLE_BATCHES
    )
    names = [metric.name for metric in _OF_TABLES]
    which = (VERDICTS.c.table, VERDICTS.c.started_at, VERDICTS.c.batch, VERDICTS.c.run_id, VERDICTS.c.partition)
    wanted = (
        sa.select(*which, *(_value(METRICS[name]) for name in names))
        .outerjoin_from(VERDICTS, BATCH_METRICS, BATCH_METRICS.c.verdict_id == VERDICTS.c.id)
        .where(VERDICTS.c.id.in_(last.group_by(VERDICTS.c.table)))
        .order_by(VERDICTS.c.table)
    )
    with history.engine.connect() as connection:
        rows = connection.execute(wanted).all()
    return [
        Latest(table, at, batch, run_id, partition, _measured(names, values))
        for table, at, batch, run_id, partition, *values in rows
    ]


def _measured(names: Iterable[str], values: Iterable[Any]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True) if value is not None}


def columns_measured(history: History, table: str) -> dict[str, bool]:
    """Returns the columns with metrics in a table's last measured batch, in the order of the table; whether each has a mean."""
    if not history.is_begun:
        return {}
    last = sa.select(sa.func.max(BATCH_METRICS.c.verdict_id)).join_from(BATCH_METRICS, VERDICTS)
    last = last.where(VERDICTS.c.table == table, ~VERDICTS.c.blocked, *ON_SINGLE_BATCHES)
    wanted = sa.select(COLUMN_METRICS.c.column, COLUMN_METRICS.c.mean.is_not(None).label("has_mean"))
    wanted = wanted.where(COLUMN_METRICS.c.verdict_id == last.scalar_subquery())
    with history.engine.connect() as connection:
        return {row.column: row.has_mean for row in connection.execute(wanted.order_by(COLUMN_METRICS.c.place))}


@dataclass(frozen=True)
class VerdictRange:
    """Selects verdicts of a table: of one partition or all, begun between `since` and `until` (both included)."""

    table: str
    partition: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    #: a batch that counts even if it is blocked
    including: str | None = None


def judged_batches(of: VerdictRange) -> Iterator[sa.ColumnElement[bool]]:
    """Yields the conditions on verdicts that are points of a table's series: the last of each published batch, no reruns.

    A blocked batch is no point, since its rows are judged again; the batch `including` is one nevertheless.
    """
    yield from ON_SINGLE_BATCHES
    yield from _last_published(of)


def published_parts(of: VerdictRange) -> Iterator[sa.ColumnElement[bool]]:
    """Like `judged_batches`, but of a partition only the batches since the last one that replaced it, such as a rerun."""
    yield from ON_BATCHES
    yield from _last_published(of)
    # One grouped subquery instead of one per verdict: a table has a verdict for each batch that it ever had.
    anew = VERDICTS.alias("anew")
    last = sa.select(anew.c.partition, sa.func.max(anew.c.id).label("id")).where(
        anew.c.table == of.table, replaced(anew)
    )
    rebuilt = last.group_by(anew.c.partition).subquery("rebuilt")
    is_current = ~sa.exists().where(rebuilt.c.partition == VERDICTS.c.partition, rebuilt.c.id > VERDICTS.c.id)
    yield sa.case((VERDICTS.c.partition.is_(None), sa.and_(*ON_SINGLE_BATCHES)), else_=is_current)


def _last_published(of: VerdictRange) -> Iterator[sa.ColumnElement[bool]]:
    yield VERDICTS.c.table == of.table
    later = VERDICTS.alias("later")
    same = (later.c.table == VERDICTS.c.table) & (later.c.batch == VERDICTS.c.batch)
    same &= sa.func.coalesce(later.c.partition, "") == sa.func.coalesce(VERDICTS.c.partition, "")
    yield ~sa.exists().where(same, later.c.id > VERDICTS.c.id, _counts(later, of.including))
    yield _counts(VERDICTS, of.including)
    if of.partition is not None:
        yield VERDICTS.c.partition == of.partition
    if of.since is not None:
        yield VERDICTS.c.started_at >= of.since
    if of.until is not None:
        yield VERDICTS.c.started_at <= of.until


def _counts(verdicts: sa.FromClause, including: str | None) -> sa.ColumnElement[bool]:
    return ~verdicts.c.blocked if including is None else ~verdicts.c.blocked | (verdicts.c.batch == including)


def _value(metric: Metric) -> sa.ColumnElement[Any]:
    """Returns the SQL expression of a metric."""
    whole, part = VERDICTS.c, COLUMN_METRICS.c
    values = part.count - part.null_count
    match metric.name:
        case "row_count":
            return whole.rows_in
        case "published_count" | "refused_count" | "dropped_count":
            return whole[metric.name.removesuffix("_count")]
        case "refused_share":
            return _share(whole.refused, whole.rows_in)
        case "quality_score":
            return 100 * sa.func.coalesce(_score(), 1.0)
        case name if name.removesuffix("_score") in DIMENSIONS:
            return 100 * _score(RESULTS.c.dimension == name.removesuffix("_score"))
        case "null_share":
            return _share(part.null_count, part.count)
        case "distinct_share":
            return _share(part.distinct_count, values)
        case "outlier_share":
            return _share(part.outlier_count, values)
        case name if metric.of_column:
            return part[name]
        case name:
            return whole[name] if name in whole else BATCH_METRICS.c[name]


def _share(some: sa.ColumnElement[Any], every: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return some * 1.0 / sa.func.nullif(every, 0)


def _score(*about: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
    """Returns the mean of a verdict's scores, 0 to 1; null without any."""
    of_verdict = RESULTS.c.verdict_id == VERDICTS.c.id
    wanted = sa.select(sa.func.avg(RESULTS.c.score)).where(of_verdict, QUALITY_RESULTS, *about)
    return wanted.correlate(VERDICTS).scalar_subquery()
