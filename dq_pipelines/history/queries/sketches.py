"""Metrics of batches with the states that they are merged from. Merging belongs in `monitoring.metrics`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import sqlalchemy as sa

from dq_pipelines.history.queries.series import VerdictRange, published_parts
from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.history.store.schema import COLUMN_METRICS, VERDICTS
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True)
class MeasuredBatch:
    """The columns of one batch, as its last verdict measured them."""

    batch: str
    partition: str | None
    columns: tuple[ColumnMetrics, ...]


def measured_batches(
    history: History,
    table: str,
    *,
    columns: Sequence[str] = (),
    partition: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    including: str | None = None,
) -> list[MeasuredBatch]:
    """A table's published batches with the metrics of their columns (all without `columns`), oldest first.

    Of a partition that was replaced, as by a rerun, those since; the batch to be `including` also where it is blocked.
    """
    if not history.is_begun:
        return []
    wanted = sa.select(VERDICTS.c.id, VERDICTS.c.batch, VERDICTS.c.partition, COLUMN_METRICS)
    which = published_parts(VerdictRange(table, partition, since, until, including))
    wanted = wanted.join_from(VERDICTS, COLUMN_METRICS).where(*which)
    if columns:
        wanted = wanted.where(COLUMN_METRICS.c.column.in_(columns))
    wanted = wanted.order_by(VERDICTS.c.started_at, VERDICTS.c.id, COLUMN_METRICS.c.place)
    with history.engine.connect() as connection:
        rows = connection.execute(wanted).mappings().all()
    return [
        MeasuredBatch(batch, part, tuple(ColumnMetrics.of_row(row) for row in found))
        for (_, batch, part), found in groupby(rows, key=lambda row: (row["id"], row["batch"], row["partition"]))
    ]
