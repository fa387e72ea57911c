"""Serves metrics of batches, the latest and over time, and quality scores of tables and domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from dq_pipelines.errors import nearest
from dq_pipelines.history.queries.scores import score_of, score_of_all
from dq_pipelines.history.queries.series import METRICS, latest, series
from dq_pipelines.history.queries.table_status import TableStatus
from dq_pipelines.history.store.verdicts import History
from dq_pipelines.monitoring.metrics.merged_batches import BatchRange
from dq_pipelines.security.roles import Permission
from dq_pipelines.web.api.dependencies import Behind, Own, somewhere
from dq_pipelines.web.api.paging import NAMED, Cursor, Limit, Page, cursor_of, place_in
from dq_pipelines.web.api.table_keys import Key, Remembered, unknown
from dq_pipelines.web.api.texts import Moment, Text, Until
from dq_pipelines.web.auth.authorization import Rights
from dq_pipelines.web.problem_details import ApiError, problems

router = APIRouter(tags=["quality"], dependencies=[Depends(somewhere(Permission.LOOK))])


class ColumnLine(BaseModel):
    """The metrics of a column. Dates and times are in seconds, booleans are 0 and 1."""

    model_config = ConfigDict(from_attributes=True)

    column: str = Field(examples=["amount"])
    count: int = Field(description="Rows.")
    null_count: int
    distinct_count: float | None = Field(description="An estimate with a standard error of 1.6 %.")
    min: float | None
    max: float | None
    mean: float | None
    standard_deviation: float | None
    p01: float | None
    p05: float | None
    p25: float | None
    p50: float | None
    p75: float | None
    p95: float | None
    p99: float | None
    outlier_count: int | None = Field(description="More than 3 standard deviations from the mean.")
    robust_outlier_count: int | None = Field(description="With a modified z-score above 3.5.")
    min_length: int | None
    mean_length: float | None
    max_length: int | None


class Columns(BaseModel):
    """The metrics of a table's columns, over some of its batches."""

    table: str
    batches: int = Field(description="The number of batches that are merged.")
    columns: Sequence[ColumnLine]


class BatchMetrics(BaseModel):
    """The metrics of the last batch of a table."""

    model_config = ConfigDict(from_attributes=True)

    table: str = Field(examples=["silver/sales"])
    at: datetime
    batch: str
    run_id: str
    partition: str | None
    values: Mapping[str, float] = Field(examples=[{"row_count": 1200.0, "refused_share": 0.01}])
    columns: Sequence[ColumnLine] = Field(
        (), description="The metrics of its columns, such as mean, standard deviation and outliers. Only with `table`."
    )


class PointLine(BaseModel):
    """The value of a metric for one batch."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime = Field(description="When its run began.")
    value: float
    batch: str
    run_id: str
    partition: str | None


class Series(BaseModel):
    """One metric over time, oldest first."""

    table: str
    metric: str
    column: str | None
    unit: str = Field(examples=["rows"])
    description: str
    points: Sequence[PointLine]


class SeriesSelection(BaseModel):
    """The metric, the table and the range of a series."""

    table: Key = Field(examples=["silver/sales"])
    metric: Text = Field(
        description="The name of the metric, as in `dq metrics`.",
        examples=["row_count"],
        json_schema_extra={"enum": list(METRICS)},
    )
    column: Text | None = Field(None, description="The column, for a metric of columns.")
    partition: Text | None = None
    since: Moment | None = Field(None, description="Only batches whose run began at this time or later.")
    until: Until | None = Field(
        None, description="Only batches whose run began at this time or earlier; a day includes its end."
    )
    limit: Limit = 200


class ScoreLine(BaseModel):
    """A quality score."""

    name: str = Field(description="A table's key, or a domain.", examples=["silver/sales"])
    score: float = Field(description="In percent.", examples=[98.5])
    dimensions: Mapping[str, float] = Field(examples=[{"completeness": 100.0, "validity": 97.0}])
    tables: int = Field(description="The number of tables in it.")


class Scores(BaseModel):
    """Quality scores of all tables that the caller may view, of each domain, and of each table."""

    all: ScoreLine | None = Field(description="Null if no table was judged yet.")
    domains: Sequence[ScoreLine]
    tables: Sequence[ScoreLine]


@router.get(
    "/metrics/latest",
    summary="The metrics of the last batch of each table",
    description="Sorted by table. For the metrics and their units see `dq metrics`.",
    operation_id="metrics_latest",
    responses=problems(404, 422, 503),
)
def metrics_latest(
    behind: Behind,
    rights: Own,
    table: Annotated[Key | None, Query(description="Only this table, with its columns.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[BatchMetrics]:
    if table is not None:
        return Page(items=_latest_of(behind.site.stores.history, rights, table))
    after = place_in(NAMED, cursor) or ""
    keys = sorted(key for key in rights.those(table.key for table in rights.project) if key > after)
    found = latest(behind.site.stores.history, keys[:limit])
    further = cursor_of(keys[limit - 1]) if len(keys) > limit else None
    return Page(items=[BatchMetrics.model_validate(one) for one in found], next=further)


def _latest_of(history: History, rights: Rights, table: str) -> list[BatchMetrics]:
    """The metrics of the last batch of one table, with those of its columns. Raises ApiError (404) for an unknown table."""
    if not rights.sees(table) or rights.project.by_key(table) is None:
        raise unknown(rights, table)
    lines = [BatchMetrics.model_validate(one) for one in latest(history, [table])]
    for line in lines:
        _, columns = BatchRange(table, line.partition, line.at, line.at).metrics(history)
        line.columns = [ColumnLine.model_validate(one) for one in columns]
    return lines


@router.get(
    "/metrics/history",
    summary="One metric of a table or column, batch by batch",
    description="The last `limit` points, oldest first. For earlier points, send the first point's `at` as `until`.",
    operation_id="metrics_history",
    responses=problems(404, 422, 503),
)
def metrics_history(wanted: Annotated[SeriesSelection, Query()], behind: Behind, rights: Own) -> Series:
    if not rights.sees(wanted.table):
        raise unknown(rights, wanted.table)
    metric = METRICS.get(wanted.metric)
    if metric is None:
        raise ApiError(422, f"query.metric: unknown metric '{wanted.metric}'{nearest(wanted.metric, METRICS)}")
    if metric.of_column != (wanted.column is not None):
        of_table = f"is a metric of tables: wanted no column, got '{wanted.column}'"
        why = "is a metric of columns: wanted a column, got none" if metric.of_column else of_table
        raise ApiError(422, f"query.column: {metric.name} {why}")
    points = series(
        behind.site.stores.history, wanted.table, metric.name, wanted.column,
        partition=wanted.partition, since=wanted.since, until=wanted.until, limit=wanted.limit,
    )  # fmt: skip
    return Series(
        table=wanted.table, metric=metric.name, column=wanted.column, unit=metric.unit,
        description=metric.description, points=[PointLine.model_validate(point) for point in points],
    )  # fmt: skip


@router.get(
    "/quality/metrics/{key:path}",
    summary="The metrics of a table's columns",
    description="Of the last batch; with `since` or `until`, of all batches in that range together.",
    operation_id="metrics_of_table",
    responses=problems(404, 422, 503),
)
def metrics_of_table(
    key: Remembered,
    behind: Behind,
    partition: Annotated[Text | None, Query(description="Only batches of this partition.")] = None,
    since: Annotated[Moment | None, Query(description="Only batches whose run began at this time or later.")] = None,
    until: Annotated[
        Until | None, Query(description="Only batches whose run began at this time or earlier; a day includes its end.")
    ] = None,
) -> Columns:
    history = behind.site.stores.history
    if since is None and until is None:
        last = series(history, key, "row_count", partition=partition, limit=1)
        if not last:
            return Columns(table=key, batches=0, columns=[])
        since = until = last[0].at
    batches, columns = BatchRange(key, partition, since, until).metrics(history) if history.is_begun else (0, ())
    return Columns(table=key, batches=batches, columns=[ColumnLine.model_validate(one) for one in columns])


@router.get(
    "/quality/scores",
    summary="Quality scores",
    description="A rule's score is the share of judged rows that meet it, a table's the mean over its rules, a domain's the mean over its "
    "tables.",
    operation_id="scores",
    responses=problems(503),
)
def scores(behind: Behind, rights: Own) -> Scores:
    every = list(behind.site.latest().values())
    # Removed tables do not count.
    in_project = {table.key for table in rights.project} or {one.table for one in every}
    stands = [one for one in every if one.verdicts and one.table in in_project and rights.sees(one.table)]
    by_domain: dict[str, list[TableStatus]] = {}
    for one in stands:
        table = rights.project.by_key(one.table)
        if table is not None and table.domain is not None:
            by_domain.setdefault(table.domain, []).append(one)
    domains = [_score(name, of) for name, of in sorted(by_domain.items())]
    return Scores(
        all=_score("all", stands),
        domains=[one for one in domains if one],
        tables=[line for one in stands if (line := _table(one))],
    )


def _score(name: str, of: Sequence[TableStatus]) -> ScoreLine | None:
    found = score_of_all(map(score_of, of))
    return (
        None if found is None else ScoreLine(name=name, score=found.total, dimensions=found.dimensions, tables=len(of))
    )


def _table(of: TableStatus) -> ScoreLine | None:
    found = score_of(of)
    if found is None:
        return None
    return ScoreLine(name=of.table, score=found.total, dimensions=found.dimensions, tables=1)
