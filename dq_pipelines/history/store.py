"""Verdicts in SQLite (by default, inside the lake) or PostgreSQL (by URL)."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, fields
from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dq_pipelines.errors import PublishError
from dq_pipelines.history.records import REPLAY, ResultRecord, VerdictRecord

_METADATA = sa.MetaData()

_VERDICTS = sa.Table(
    "dq_verdicts",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("table", sa.String(255), nullable=False),
    sa.Column("batch", sa.String(255), nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("partition", sa.String(255)),
    sa.Column("started_at", sa.DateTime, nullable=False),
    sa.Column("duration_seconds", sa.Float, nullable=False),
    sa.Column("rows_in", sa.BigInteger, nullable=False),
    sa.Column("published", sa.BigInteger, nullable=False),
    sa.Column("refused", sa.BigInteger, nullable=False),
    sa.Column("dropped", sa.BigInteger, nullable=False),
    sa.Column("blocked", sa.Boolean, nullable=False),
    sa.Index("dq_verdicts_latest", "table", "id"),
    sa.UniqueConstraint("table", "batch", "run_id", name="dq_verdicts_once"),
)
_RESULTS = sa.Table(
    "dq_results",
    _METADATA,
    sa.Column("verdict_id", sa.ForeignKey("dq_verdicts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("check", sa.String(255), primary_key=True),
    sa.Column("rule", sa.String(255), nullable=False),
    sa.Column("column", sa.String(1024)),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("success", sa.Boolean, nullable=False),
    sa.Column("blocks", sa.Boolean, nullable=False),
    sa.Column("element_count", sa.BigInteger),
    sa.Column("missing_count", sa.BigInteger),
    sa.Column("unexpected_count", sa.BigInteger),
    sa.Column("observed_value", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("fingerprint", sa.String(64)),
    sa.Column("score", sa.Float, nullable=False),
)
_RESULT_FIELDS = tuple(field.name for field in fields(ResultRecord))


#: What a replay publishes is no batch of its own that rules were asked about: it is remembered, and no latest verdict.
_JUDGED = ~_VERDICTS.c.batch.like(f"{REPLAY}%")


class History:
    """The store. Recording the same verdict again (same table, batch and run) replaces it."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def _engine(self) -> sa.Engine:
        url = sa.make_url(self.url)
        sqlite = url.get_backend_name() == "sqlite"
        try:
            if sqlite and url.database:
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            engine = sa.create_engine(url, connect_args={"timeout": 30} if sqlite else {}, poolclass=sa.NullPool)
            if sqlite:
                sa.event.listen(engine, "connect", _settle_sqlite)
            _METADATA.create_all(engine)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise PublishError(
                f"history at {url.render_as_string()}: wanted a database to write, got: {str(error).splitlines()[0]}"
            ) from None
        return engine

    @property
    def is_begun(self) -> bool:
        """Whether there may be something to read; a SQLite file that is not there is not made by asking."""
        url = sa.make_url(self.url)
        sqlite = url.get_backend_name() == "sqlite"
        return not sqlite or not url.database or Path(url.database).is_file()

    def record(self, verdict: VerdictRecord) -> None:
        """Remember a verdict and its results, in one transaction."""
        once = (
            (_VERDICTS.c.table == verdict.table)
            & (_VERDICTS.c.batch == verdict.batch)
            & (_VERDICTS.c.run_id == verdict.run_id)
        )
        row = {name: value for name, value in asdict(verdict).items() if name != "results"}
        row["started_at"] = verdict.started_at.astimezone(UTC).replace(tzinfo=None)
        with self._engine.begin() as connection:
            connection.execute(
                _RESULTS.delete().where(_RESULTS.c.verdict_id.in_(sa.select(_VERDICTS.c.id).where(once)))
            )
            connection.execute(_VERDICTS.delete().where(once))
            number = connection.execute(_VERDICTS.insert().values(**row)).inserted_primary_key
            rows = [_result_row(result) | {"verdict_id": number[0]} for result in verdict.results] if number else []
            if rows:
                connection.execute(_RESULTS.insert(), rows)

    def knows(self, verdict: VerdictRecord) -> bool:
        """Whether this run's verdict on this batch was recorded."""
        once = (_VERDICTS.c.table == verdict.table) & (_VERDICTS.c.batch == verdict.batch)
        wanted = sa.select(_VERDICTS.c.id).where(once, _VERDICTS.c.run_id == verdict.run_id)
        with self._engine.connect() as connection:
            return connection.execute(wanted).first() is not None

    def latest(self, table: str, partition: str | None = None) -> VerdictRecord | None:
        """The last verdict of a table, or of one of its partitions."""
        wanted = sa.select(_VERDICTS).where(_VERDICTS.c.table == table, _JUDGED)
        if partition is not None:
            wanted = wanted.where(_VERDICTS.c.partition == partition)
        return next(iter(self._verdicts(wanted.order_by(_VERDICTS.c.id.desc()).limit(1))), None)

    def latest_of_partitions(self, table: str | None = None) -> list[VerdictRecord]:
        """By table (or of one), as they were recorded: the last verdict of each partition on a batch, and on what stood."""
        columns = (_VERDICTS.c.table, _VERDICTS.c.partition, _VERDICTS.c.batch == "")
        last = sa.select(sa.func.max(_VERDICTS.c.id)).where(_JUDGED).group_by(*columns)
        if table is not None:
            last = last.where(_VERDICTS.c.table == table)
        wanted = sa.select(_VERDICTS).where(_VERDICTS.c.id.in_(last))
        return self._verdicts(wanted.order_by(_VERDICTS.c.table, _VERDICTS.c.id))

    def of_table(self, table: str, limit: int = 100) -> list[VerdictRecord]:
        """The last verdicts of a table, newest first."""
        wanted = sa.select(_VERDICTS).where(_VERDICTS.c.table == table)
        return self._verdicts(wanted.order_by(_VERDICTS.c.id.desc()).limit(limit))

    def erase(self, tables: Collection[str], holds: Callable[[str | None, Any], bool]) -> int:
        """Forget what results of these tables observed, where it `holds` (column, value) what is erased; how many did.

        Counts, scores and outcomes stay: they are nobody's values. An error's text is a value here too.
        """
        about = sa.select(_VERDICTS.c.id).where(_VERDICTS.c.table.in_(tables))
        wanted = _RESULTS.select().where(_RESULTS.c.verdict_id.in_(about))
        forgotten = 0
        with self._engine.begin() as connection:
            for row in connection.execute(wanted).mappings().all():
                said: dict[str, Any] = {}
                if holds(row["column"], json.loads(row["observed_value"] or "null")):
                    said["observed_value"] = json.dumps(None)
                if row["error"] is not None and holds(row["column"], [row["error"]]):
                    said["error"] = "erased"
                if said:
                    this = (_RESULTS.c.verdict_id == row["verdict_id"]) & (_RESULTS.c.check == row["check"])
                    connection.execute(_RESULTS.update().where(this).values(**said))
                    forgotten += 1
        if forgotten and self._engine.dialect.name == "sqlite":
            # What SQLite updates stays in free pages and in the log of writes until both are written anew.
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM")
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return forgotten

    def runs(self, tables: Collection[str]) -> list[str]:
        """The ids of the runs that judged these tables, in order."""
        wanted = sa.select(_VERDICTS.c.run_id).where(_VERDICTS.c.table.in_(tables)).order_by(_VERDICTS.c.id)
        with self._engine.connect() as connection:
            return list(dict.fromkeys(connection.execute(wanted).scalars()))

    def _verdicts(self, wanted: sa.Select[Any]) -> list[VerdictRecord]:
        # A subquery, since a database takes only so many numbers in a list.
        numbers = wanted.with_only_columns(_VERDICTS.c.id).subquery()
        with self._engine.connect() as connection:
            verdicts = connection.execute(wanted).mappings().all()
            about = _RESULTS.c.verdict_id.in_(sa.select(numbers.c.id))
            found = connection.execute(_RESULTS.select().where(about)).mappings().all()
        results: dict[int, list[ResultRecord]] = {verdict["id"]: [] for verdict in verdicts}
        for row in found:
            if row["verdict_id"] in results:  # else of a verdict that was recorded in between
                results[row["verdict_id"]].append(_result(row))
        return [_verdict(row, results[row["id"]]) for row in verdicts]


def _settle_sqlite(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _result_row(result: ResultRecord) -> dict[str, Any]:
    return asdict(result) | {"observed_value": json.dumps(result.observed_value)}


def _result(row: Any) -> ResultRecord:
    values = {name: row[name] for name in _RESULT_FIELDS}
    return ResultRecord(**values | {"observed_value": json.loads(row["observed_value"])})


def _verdict(row: Any, results: Iterable[ResultRecord]) -> VerdictRecord:
    values = {name: value for name, value in row.items() if name != "id"}
    return VerdictRecord(**values | {"started_at": row["started_at"].replace(tzinfo=UTC), "results": tuple(results)})
