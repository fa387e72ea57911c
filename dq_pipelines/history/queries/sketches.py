"""Reads column metrics of batches with the sketches that `monitoring.metrics` merges."""

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
    """The column metrics of one batch, from its last verdict."""

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
    """Returns a table's published batches with the metrics of some or all columns, oldest first.

    Batches of a partition that was replaced since, for example by a rerun, are left out. The batch `including` is
    returned even if it is blocked.
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
        MeasuredBatch(batch, part, tuple(ColumnMetrics.of_row(row) for row in column_rows))
        for (_, batch, part), column_rows in groupby(rows, key=lambda row: (row["id"], row["batch"], row["partition"]))
    ]
