"""Stores verdicts in SQLite (by default, inside the lake) or PostgreSQL (by URL)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from dq_pipelines.config.database import database
from dq_pipelines.config.sqlite_files import sqlite_file
from dq_pipelines.history.store.changes import mark_changed
from dq_pipelines.history.store.filters import NO_REPLAY, ON_BATCHES, replaced
from dq_pipelines.history.store.migrations import SCHEMA
from dq_pipelines.history.store.records import ResultRecord, VerdictRecord
from dq_pipelines.history.store.schema import BATCH_METRICS, COLUMN_METRICS, METADATA, RESULTS, VERDICTS

_RESULT_FIELDS = tuple(field.name for field in fields(ResultRecord))


class History:
    """The store of verdicts. A verdict of the same table, partition, batch and run replaces the earlier one.

    Verdicts are read without metrics: `queries.series` and `queries.sketches` read those.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: tuple[sa.Engine, object] | None = None

    @property
    def engine(self) -> sa.Engine:
        """The database engine, with all tables created. Raises PublishError where the database cannot be opened.

        A SQLite file may be replaced while a server or a daemon has it open; then the engine is opened again.
        """
        if self._opened is None or self._opened[1] != self._file():
            engine = database(self.url, METADATA, SCHEMA.store, SCHEMA.prepare)
            self._opened = (engine, self._file())
        return self._opened[0]

    def _file(self) -> object:
        """Returns an identity of the SQLite file, which changes when it is replaced; None without a file."""
        path = sqlite_file(self.url)
        try:
            stat = path.stat() if path is not None else None
        except OSError:
            stat = None
        if stat is None:
            return None
        return stat.st_dev, stat.st_ino, stat.st_size > 0

    @property
    def is_begun(self) -> bool:
        """Whether there may be something to read. It creates no SQLite file, and leaves an empty one empty.

        This lets `dq doctor` detect that an empty file has lost its verdicts.
        """
        path = sqlite_file(self.url)
        return path is None or (path.is_file() and path.stat().st_size > 0)

    def record(self, verdict: VerdictRecord) -> None:
        """Stores a verdict with results and metrics, in one transaction."""
        once = _once(verdict)
        row = {name: value for name, value in asdict(verdict).items() if name not in ("results", "metrics")}
        with self.engine.begin() as connection:
            earlier = sa.select(VERDICTS.c.id).where(once)
            for table in (RESULTS, BATCH_METRICS, COLUMN_METRICS):
                connection.execute(table.delete().where(table.c.verdict_id.in_(earlier)))
            connection.execute(VERDICTS.delete().where(once))
            number = connection.execute(VERDICTS.insert().values(**row)).inserted_primary_key
            for table, rows in _parts(verdict).items():
                if rows and number:
                    connection.execute(table.insert(), [row | {"verdict_id": number[0]} for row in rows])
            mark_changed(connection, [verdict.table])

    def is_recorded(self, verdict: VerdictRecord) -> bool:
        """Whether this run's verdict on this batch and partition was stored."""
        if not self.is_begun:
            return False
        wanted = sa.select(VERDICTS.c.id).where(_once(verdict))
        with self.engine.connect() as connection:
            return connection.execute(wanted).first() is not None

    def latest(self, table: str, partition: str | None = None, *, on_batch: bool = False) -> VerdictRecord | None:
        """Returns the last verdict of a table or partition; with `on_batch`, no re-check. None without any."""
        wanted = sa.select(VERDICTS).where(VERDICTS.c.table == table, *(ON_BATCHES if on_batch else (NO_REPLAY,)))
        if partition is not None:
            wanted = wanted.where(VERDICTS.c.partition == partition)
        return next(iter(self._verdicts(wanted.order_by(VERDICTS.c.id.desc()).limit(1))), None)

    def latest_of_partitions(self, tables: Collection[str] | None = None) -> list[VerdictRecord]:
        """Returns up to three verdicts per partition of some or all tables, by table, in the order of recording.

        They are the last on a batch, the last on a batch that replaced all published rows, and the last re-check.
        """
        # The last batch that replaced all published rows decides which re-checks are outdated.
        kind = sa.case((VERDICTS.c.batch == "", 0), (replaced(), 1), else_=2)
        columns = (VERDICTS.c.table, VERDICTS.c.partition, kind)
        last = sa.select(sa.func.max(VERDICTS.c.id)).where(NO_REPLAY).group_by(*columns)
        if tables is not None:
            last = last.where(VERDICTS.c.table.in_(tables))
        wanted = sa.select(VERDICTS).where(VERDICTS.c.id.in_(last))
        return self._verdicts(wanted.order_by(VERDICTS.c.table, VERDICTS.c.id))

    def of_table(self, table: str, limit: int = 100) -> list[VerdictRecord]:
        """Returns the last verdicts of a table, newest first."""
        wanted = sa.select(VERDICTS).where(VERDICTS.c.table == table)
        return self._verdicts(wanted.order_by(VERDICTS.c.id.desc()).limit(limit))

    def page_of_table(
        self, table: str, limit: int, before: int | None = None, partition: str | None = None, batch: str | None = None
    ) -> list[tuple[int, VerdictRecord]]:
        """Returns verdicts of a table (of a partition, on a batch) with numbers, newest first; with `before`, lower ones."""
        wanted = sa.select(VERDICTS).where(VERDICTS.c.table == table)
        for column, value in ((VERDICTS.c.partition, partition), (VERDICTS.c.batch, batch)):
            if value is not None:
                wanted = wanted.where(column == value)
        if before is not None:
            wanted = wanted.where(VERDICTS.c.id < before)
        return self._numbered(wanted.order_by(VERDICTS.c.id.desc()).limit(limit))

    def of_run(self, run_id: str) -> list[VerdictRecord]:
        """Returns the verdicts of one Dagster run, in order."""
        return self._verdicts(sa.select(VERDICTS).where(VERDICTS.c.run_id == run_id).order_by(VERDICTS.c.id))

    def runs(self, tables: Collection[str]) -> list[str]:
        """Returns the ids of the runs that judged these tables, in order."""
        if not self.is_begun:
            return []
        wanted = sa.select(VERDICTS.c.run_id).where(VERDICTS.c.table.in_(tables)).order_by(VERDICTS.c.id)
        with self.engine.connect() as connection:
            return list(dict.fromkeys(connection.execute(wanted).scalars()))

    def _verdicts(self, wanted: sa.Select[Any]) -> list[VerdictRecord]:
        return [verdict for _, verdict in self._numbered(wanted)]

    def _numbered(self, wanted: sa.Select[Any]) -> list[tuple[int, VerdictRecord]]:
        if not self.is_begun:
            return []
        # A subquery, since a database takes only so many numbers in a list.
        numbers = wanted.with_only_columns(VERDICTS.c.id).subquery()
        with self.engine.connect() as connection:
            verdicts = connection.execute(wanted).mappings().all()
            about = RESULTS.c.verdict_id.in_(sa.select(numbers.c.id))
            rows = connection.execute(RESULTS.select().where(about)).mappings().all()
        results: dict[int, list[ResultRecord]] = {verdict["id"]: [] for verdict in verdicts}
        for row in rows:
            if row["verdict_id"] in results:  # else of a verdict that was recorded between the two queries
                results[row["verdict_id"]].append(_result(row))
        return [(row["id"], _verdict(row, results[row["id"]])) for row in verdicts]


def _once(verdict: VerdictRecord) -> sa.ColumnElement[bool]:
    """Selects the earlier record of the same verdict. The partition counts: a run may re-check several partitions."""
    c = VERDICTS.c
    same = (c.table == verdict.table) & (c.batch == verdict.batch) & (c.run_id == verdict.run_id)
    return same & (c.partition.is_(None) if verdict.partition is None else c.partition == verdict.partition)


def _parts(verdict: VerdictRecord) -> dict[sa.Table, list[dict[str, Any]]]:
    """Returns the rows of results and metrics to write, by database table."""
    parts = {RESULTS: [_result_row(result) for result in verdict.results]}
    if verdict.metrics is not None:
        whole = asdict(verdict.metrics)
        parts[COLUMN_METRICS] = [column | {"place": place} for place, column in enumerate(whole.pop("columns"))]
        parts[BATCH_METRICS] = [whole]
    return parts


def _result_row(result: ResultRecord) -> dict[str, Any]:
    return asdict(result) | {"observed_value": json.dumps(result.observed_value)}


def _result(row: Any) -> ResultRecord:
    values = {name: row[name] for name in _RESULT_FIELDS}
    return ResultRecord(**values | {"observed_value": json.loads(row["observed_value"])})


def _verdict(row: Any, results: Iterable[ResultRecord]) -> VerdictRecord:
    values = {name: value for name, value in row.items() if name != "id"}
    return VerdictRecord(**values | {"results": tuple(results)})
