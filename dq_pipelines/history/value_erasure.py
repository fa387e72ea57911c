"""Forgetting values: what history has kept of rows that somebody had erased. Which values those are is said in `pipeline.maintenance.erasure`."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dq_pipelines.history.alerts.alert_book import ERASED, AlertBook
from dq_pipelines.history.store.metrics import ColumnMetrics
from dq_pipelines.history.store.schema import ATTEMPTS, COLUMN_METRICS, RESULTS, VERDICTS
from dq_pipelines.history.store.verdicts import History


@dataclass(frozen=True)
class Forgotten:
    """What history knows no more."""

    #: results whose observed value or error is gone
    results: int = 0
    #: columns of batches whose least, greatest and middle values are gone
    metrics: int = 0
    #: alerts whose sentence is gone
    alerts: int = 0
    #: attempts whose sentence is gone
    attempts: int = 0


#: Metrics that are values of single rows, or are reckoned from a few.
_OF_ROWS = ("min", "max", "p01", "p05", "p25", "p50", "p75", "p95", "p99", "min_length", "max_length", "state")


def forget(
    history: History,
    tables: Collection[str],
    holds: Callable[[str | None, Any], bool],
    tells: Callable[[ColumnMetrics], bool],
) -> Forgotten:
    """Forget what results of these tables observed where it `holds` (column, value) what is erased.

    Counts, scores and outcomes stay: they are nobody's values. An error's text is a value here too. Of metrics that
    `tells` finds to tell of erased rows, those that are values of single rows go. Of alerts and attempts all sentences go: they may
    have a value in their midst, and were told.
    """
    if not history.is_begun:
        return Forgotten()
    about = sa.select(VERDICTS.c.id).where(VERDICTS.c.table.in_(tables))
    with history.engine.begin() as connection:
        results, metrics = _results(connection, about, holds), _metrics(connection, about, tells)
        said = ATTEMPTS.c.table.in_(tables) & ATTEMPTS.c.said.not_in(("", ERASED))
        attempts = connection.execute(ATTEMPTS.update().where(said).values(said=ERASED)).rowcount
    forgotten = Forgotten(results, metrics, AlertBook(history).erase(tables), attempts)
    if forgotten != Forgotten() and history.engine.dialect.name == "sqlite":
        # What SQLite updates stays in free pages and in the log of writes until both are written anew.
        with history.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return forgotten


def _results(connection: sa.Connection, about: sa.Select[tuple[Any]], holds: Callable[[str | None, Any], bool]) -> int:
    forgotten = 0
    for row in connection.execute(RESULTS.select().where(RESULTS.c.verdict_id.in_(about))).mappings().all():
        said: dict[str, Any] = {}
        if holds(row["column"], json.loads(row["observed_value"] or "null")):
            said |= {"observed_value": json.dumps(None), "remark": None}
        if row["error"] is not None and holds(row["column"], [row["error"]]):
            said["error"] = "erased"
        if said:
            this = (RESULTS.c.verdict_id == row["verdict_id"]) & (RESULTS.c.check == row["check"])
            connection.execute(RESULTS.update().where(this).values(**said))
            forgotten += 1
    return forgotten


def _metrics(connection: sa.Connection, about: sa.Select[tuple[Any]], tells: Callable[[ColumnMetrics], bool]) -> int:
    wanted = COLUMN_METRICS.select().where(COLUMN_METRICS.c.verdict_id.in_(about))
    found = [row for row in connection.execute(wanted).mappings() if tells(ColumnMetrics.of_row(row))]
    for row in found:
        this = (COLUMN_METRICS.c.verdict_id == row["verdict_id"]) & (COLUMN_METRICS.c.column == row["column"])
        connection.execute(COLUMN_METRICS.update().where(this).values(**dict.fromkeys(_OF_ROWS)))
    return len(found)
