"""Erases values of erased rows from the history. `pipeline.maintenance.erasure` decides which values."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dq_pipelines.history.alerts.alert_book import ERASED, AlertBook
from dq_pipelines.history.store.changes import mark_changed
from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.history.store.schema import ATTEMPTS, COLUMN_METRICS, RESULTS, VERDICTS
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True)
class ErasedRecords:
    """Numbers of records from which values were erased."""

    #: results without their observed value or error
    results: int = 0
    #: columns of batches without their minimum, maximum and quantiles
    metrics: int = 0
    #: alerts without their message
    alerts: int = 0
    #: attempts without their message
    attempts: int = 0


#: Metrics that are values of single rows, or computed from a few.
_OF_ROWS = ("min", "max", "p01", "p05", "p25", "p50", "p75", "p95", "p99", "min_length", "max_length", "state")


def forget(
    history: History,
    tables: Collection[str],
    holds: Callable[[str | None, Any], bool],
    reveals: Callable[[ColumnMetrics], bool],
) -> ErasedRecords:
    """Erases values from the history of these tables.

    Of results, it erases observed values, remarks and errors for which `holds(column, value)` is true. Of metrics for
    which `reveals` is true, it erases those that are values of single rows. It erases all messages of alerts and
    attempts, which may contain a value. Counts, scores and outcomes stay: they are no personal values.
    """
    if not history.is_begun:
        return ErasedRecords()
    about = sa.select(VERDICTS.c.id).where(VERDICTS.c.table.in_(tables))
    with history.engine.begin() as connection:
        results, metrics = _results(connection, about, holds), _metrics(connection, about, reveals)
        with_message = ATTEMPTS.c.table.in_(tables) & ATTEMPTS.c.said.not_in(("", ERASED))
        attempts = connection.execute(ATTEMPTS.update().where(with_message).values(said=ERASED)).rowcount
        mark_changed(connection, tables)
    erased = ErasedRecords(results, metrics, AlertBook(history).erase(tables), attempts)
    if erased != ErasedRecords() and history.engine.dialect.name == "sqlite":
        # SQLite keeps overwritten values in free pages and in the write-ahead log until both are rewritten.
        with history.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return erased


def _results(connection: sa.Connection, about: sa.Select[tuple[Any]], holds: Callable[[str | None, Any], bool]) -> int:
    count = 0
    for row in connection.execute(RESULTS.select().where(RESULTS.c.verdict_id.in_(about))).mappings().all():
        erased: dict[str, Any] = {}
        if holds(row["column"], json.loads(row["observed_value"] or "null")):
            erased |= {"observed_value": json.dumps(None), "remark": None}
        if row["error"] is not None and holds(row["column"], [row["error"]]):
            erased["error"] = "erased"
        if erased:
            this = (RESULTS.c.verdict_id == row["verdict_id"]) & (RESULTS.c.check == row["check"])
            connection.execute(RESULTS.update().where(this).values(**erased))
            count += 1
    return count


def _metrics(connection: sa.Connection, about: sa.Select[tuple[Any]], reveals: Callable[[ColumnMetrics], bool]) -> int:
    wanted = COLUMN_METRICS.select().where(COLUMN_METRICS.c.verdict_id.in_(about))
    rows = [row for row in connection.execute(wanted).mappings() if reveals(ColumnMetrics.of_row(row))]
    for row in rows:
        this = (COLUMN_METRICS.c.verdict_id == row["verdict_id"]) & (COLUMN_METRICS.c.column == row["column"])
        connection.execute(COLUMN_METRICS.update().where(this).values(**dict.fromkeys(_OF_ROWS)))
    return len(rows)
