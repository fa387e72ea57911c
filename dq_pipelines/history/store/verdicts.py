"""Verdicts in SQLite (by default, inside the lake) or PostgreSQL (by URL)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from dq_pipelines.config.database import database
from dq_pipelines.config.sqlite_files import sqlite_file
from dq_pipelines.history.store.filters import NO_REPLAY, ON_BATCHES, replaced
from dq_pipelines.history.store.migrations import SCHEMA
from dq_pipelines.history.store.records import ResultRecord, VerdictRecord
from dq_pipelines.history.store.schema import BATCH_METRICS, COLUMN_METRICS, METADATA, RESULTS, VERDICTS

_RESULT_FIELDS = tuple(field.name for field in fields(ResultRecord))


class History:
    """The store. Recording the same verdict again (same table, partition, batch and run) replaces it.

    Verdicts are read without what their batches measured: that is read as `series`, and by `sketches`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: tuple[sa.Engine, object] | None = None

    @property
    def engine(self) -> sa.Engine:
        """The database, its tables made; raises PublishError where that cannot be.

        A SQLite file may be moved away and replaced while a server or a daemon has it open: then it is opened anew.
        """
        if self._opened is None or self._opened[1] != self._file():
            engine = database(self.url, METADATA, SCHEMA.store, SCHEMA.prepare)
            self._opened = (engine, self._file())
        return self._opened[0]

    def _file(self) -> object:
        """What tells the database's file from another one at its place; None where there is none."""
        path = sqlite_file(self.url)
        try:
            there = path.stat() if path is not None else None
        except OSError:
            there = None
        if there is None:
            return None
        return there.st_dev, there.st_ino, there.st_size > 0

    @property
    def is_begun(self) -> bool:
        """Whether there may be something to read: no SQLite file is made by asking, and an empty one stays empty.

        So `dq doctor` can tell that an empty one has lost its verdicts.
        """
        path = sqlite_file(self.url)
        return path is None or (path.is_file() and path.stat().st_size > 0)

    def record(self, verdict: VerdictRecord) -> None:
        """Remember a verdict and its results, in one transaction."""
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

    def knows(self, verdict: VerdictRecord) -> bool:
        """Whether this run's verdict on this batch, of this partition, was recorded."""
        if not self.is_begun:
            return False
        wanted = sa.select(VERDICTS.c.id).where(_once(verdict))
        with self.engine.connect() as connection:
            return connection.execute(wanted).first() is not None

    def latest(self, table: str, partition: str | None = None, *, on_batch: bool = False) -> VerdictRecord | None:
        """The last verdict of a table, or of one of its partitions; on a batch, where asked, and on no re-check."""
        wanted = sa.select(VERDICTS).where(VERDICTS.c.table == table, *(ON_BATCHES if on_batch else (NO_REPLAY,)))
        if partition is not None:
            wanted = wanted.where(VERDICTS.c.partition == partition)
        return next(iter(self._verdicts(wanted.order_by(VERDICTS.c.id.desc()).limit(1))), None)

    def latest_of_partitions(self, table: str | None = None) -> list[VerdictRecord]:
        """By table (or of one), as they were recorded: the last verdicts of each partition.

        On a batch, on one that replaced all before it, and on what stood.
        """
        # A batch that replaced all before it may be followed by others: it tells which re-checks are of the past.
        kind = sa.case((VERDICTS.c.batch == "", 0), (replaced(), 1), else_=2)
        columns = (VERDICTS.c.table, VERDICTS.c.partition, kind)
        last = sa.select(sa.func.max(VERDICTS.c.id)).where(NO_REPLAY).group_by(*columns)
        if table is not None:
            last = last.where(VERDICTS.c.table == table)
        wanted = sa.select(VERDICTS).where(VERDICTS.c.id.in_(last))
        return self._verdicts(wanted.order_by(VERDICTS.c.table, VERDICTS.c.id))

    def of_table(self, table: str, limit: int = 100) -> list[VerdictRecord]:
        """The last verdicts of a table, newest first."""
        wanted = sa.select(VERDICTS).where(VERDICTS.c.table == table)
        return self._verdicts(wanted.order_by(VERDICTS.c.id.desc()).limit(limit))

    def page_of_table(
        self, table: str, limit: int, before: int | None = None, partition: str | None = None, batch: str | None = None
    ) -> list[tuple[int, VerdictRecord]]:
        """The verdicts of a table (of a partition, or on a batch) with their numbers, newest first: those before a number."""
        wanted = sa.select(VERDICTS).where(VERDICTS.c.table == table)
        for column, value in ((VERDICTS.c.partition, partition), (VERDICTS.c.batch, batch)):
            if value is not None:
                wanted = wanted.where(column == value)
        if before is not None:
            wanted = wanted.where(VERDICTS.c.id < before)
        return self._numbered(wanted.order_by(VERDICTS.c.id.desc()).limit(limit))

    def of_run(self, run_id: str) -> list[VerdictRecord]:
        """What one run of Dagster's was told, in order."""
        return self._verdicts(sa.select(VERDICTS).where(VERDICTS.c.run_id == run_id).order_by(VERDICTS.c.id))

    def runs(self, tables: Collection[str]) -> list[str]:
        """The ids of the runs that judged these tables, in order."""
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
            found = connection.execute(RESULTS.select().where(about)).mappings().all()
        results: dict[int, list[ResultRecord]] = {verdict["id"]: [] for verdict in verdicts}
        for row in found:
            if row["verdict_id"] in results:  # else of a verdict that was recorded in between
                results[row["verdict_id"]].append(_result(row))
        return [(row["id"], _verdict(row, results[row["id"]])) for row in verdicts]


def _once(verdict: VerdictRecord) -> sa.ColumnElement[bool]:
    """The same verdict, recorded before. Of a partition by itself: a run may judge several, and published rows are no batch."""
    c = VERDICTS.c
    same = (c.table == verdict.table) & (c.batch == verdict.batch) & (c.run_id == verdict.run_id)
    return same & (c.partition.is_(None) if verdict.partition is None else c.partition == verdict.partition)


def _parts(verdict: VerdictRecord) -> dict[sa.Table, list[dict[str, Any]]]:
    """What is written beside the verdict itself, by table."""
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
