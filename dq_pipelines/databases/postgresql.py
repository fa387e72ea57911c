"""Sessions in PostgreSQL: its catalog by psycopg, and streams of rows by ADBC.

All streams of a session share its snapshot, so that they see one state of the database however long they take. Types that
Arrow does not hold exactly are read as text: NUMERIC by its digits, arrays as JSON, and all types that no other engine has.
"""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dq_pipelines.databases.connections import place_of, without_secrets
from dq_pipelines.databases.postgresql_columns import column_of, is_unreadable, value_of
from dq_pipelines.databases.session import UNREADABLE, Column, Session
from dq_pipelines.databases.ssh import OpenTunnel
from dq_pipelines.databases.tunnel import Tunnel, target_of, through
from dq_pipelines.errors import SourceError, Transient, nearest

if TYPE_CHECKING:
    import polars as pl
    import psycopg2.extensions
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

_TABLE = """
SELECT n.nspname, c.relname, c.relkind FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)"""
_TABLES = """
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"""
_TYPES = "SELECT oid, typname, typcategory FROM pg_type WHERE oid = ANY(%s)"

#: The order of rows is that of the table in each stream, and is the same in all.
_SETTINGS = (
    "SET TimeZone = 'UTC'",
    "SET DateStyle = 'ISO, YMD'",
    "SET IntervalStyle = 'iso_8601'",
    "SET extra_float_digits = 1",
    "SET bytea_output = 'hex'",
    "SET client_encoding = 'UTF8'",
    "SET synchronize_seqscans = off",
    "SET max_parallel_workers_per_gather = 0",
    "SET cursor_tuple_fraction = 1",
)
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
#: SQLSTATE classes and codes after which a later try may succeed: connections, shutdowns, conflicts, locks, lack of resources.
_TRANSIENT = re.compile(r"08|40|53|57P|55P03|57014")
#: Messages of libpq and of the server without such a code: no connection, or one that has ended, with its snapshot.
_LOST = re.compile(
    r"connection to server .* failed: (?!FATAL)|server closed the connection|terminating connection|no connection to the server"
    r"|could not (?:receive|send) data|connection not open|the database system is|too many clients|timeout expired|could not translate"
    r"|snapshot \"?[\w-]+\"? does not exist|SSL connection has been closed|Connection (?:refused|reset|timed out)"
)
#: What stands before the message of the driver in an error of the server.
_PREFIX = re.compile(r"(?s).*?(?:ERROR|FATAL): +")


class PostgresSession(Session):
    """A session by a URL of PostgreSQL. Raises SourceError, or Transient, where it cannot be opened."""

    def __init__(self, url: str, tunnel: Tunnel | None = None) -> None:
        self._url, self._place = _libpq(url), place_of(url)
        self._tunnel = self._opened(tunnel) if tunnel is not None else None
        self._lock = threading.Lock()
        self._snapshot = ""
        import psycopg2

        with _closed_on_error(self._tunnel), self._errors("wanted to connect"):
            self._connection = psycopg2.connect(self._url, connect_timeout=10, application_name="dq_pipelines")
            self._connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            for setting in _SETTINGS:
                self._execute(setting)
        weakref.finalize(self, _close, self._connection, self._tunnel)

    def _opened(self, tunnel: Tunnel) -> OpenTunnel:
        """A tunnel to the database of the URL, which leads through it from now on."""
        try:
            opened = OpenTunnel(tunnel, target_of(self._url, 5432))
        except SourceError as error:
            raise type(error)(f"{self._place}: {error}") from None
        self._url = through(self._url, opened.port)
        return opened

    def rows_of(self, table: str) -> str:
        found = self._execute(_TABLE, (table,)) if _is_name(table) else []
        if not found or found[0][2] not in "rvmfp":
            known = [row[0] for row in self._execute(_TABLES)]
            raise SourceError(
                f"{self._place}: wanted a table '{table}' that this user sees, found none{nearest(table, known)}"
            )
        schema, name, _ = found[0]
        return f"{self.quoted(schema)}.{self.quoted(name)}"

    def columns(self, rows: str) -> Sequence[Column]:
        with self._lock, self._errors("wanted to read its columns"), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {rows} AS _dq LIMIT 0")  # noqa: S608 - quoted by `rows_of`, or the project's own SQL
            described = cursor.description or ()
            cursor.execute(_TYPES, ([column.type_code for column in described],))
            types = {oid: (name, category) for oid, name, category in cursor.fetchall()}
        return [
            column_of(one.name, *types[one.type_code], one.precision, one.scale, self.quoted(one.name))
            for one in described
        ]

    def all(self, sql: str) -> Sequence[tuple[Any, ...]]:
        return self._execute(sql)

    def point(self, column: Column) -> str | None:
        name = f"_dq.{self.quoted(column.name)}"
        match column.type:
            case "int2" | "int4" | "int8":
                return f"{name}::int8"
            case "date":
                return f"({name} - DATE '1970-01-01')::int8 * 86400000000"
            case "timestamp" | "timestamptz":
                return f"(extract(epoch FROM {name}) * 1000000)::int8"
        return None

    def literal(self, column: Column, point: int) -> str:
        if column.type.startswith("int"):
            return str(point)
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=point)
        return f"'{moment:%Y-%m-%d %H:%M:%S.%f}{'+00' if column.type == 'timestamptz' else ''}'::{column.type}"

    def digest(self, rows: str) -> str:
        return "count(*), (coalesce(sum(hashtextextended(_dq::text, 0)::numeric), 0) % 9223372036854775807)::int8"

    def number_of_now(self) -> int:
        return int(self.values("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")[0])

    def batches(self, rows: str, columns: Sequence[Column], where: str, order: str) -> Iterator[pl.DataFrame]:
        import polars as pl

        listed = ", ".join(f"{column.read} AS c{number}" for number, column in enumerate(columns))
        for batch in self._stream(f"SELECT {listed} FROM {rows} AS _dq{where}{order}"):  # noqa: S608 - quoted names, and the project's SQL
            raw = pl.DataFrame(batch)
            raw.columns = [column.name for column in columns]
            values = [value_of(raw, column) for column in columns]
            bad = (is_unreadable(raw, value, column) for value, column in zip(values, columns, strict=True))
            yield raw.select(*values, pl.any_horizontal(False, *bad).alias(UNREADABLE))

    def unreadable(self, rows: str, columns: Sequence[Column], where: str, order: str) -> Iterator[tuple[str, str]]:
        bad = [column for column in columns if column.unsound]
        if not bad:
            return
        whys = " ".join(f"WHEN {column.is_unsound} THEN {_text(column.why_unreadable)}" for column in bad)
        any_bad = " OR ".join(column.is_unsound for column in bad)
        sql = (
            f"SELECT _dq::text, CASE {whys} END FROM (SELECT * FROM {rows} AS _dq{where}) AS _dq WHERE {any_bad}{order}"  # noqa: S608
        )
        for batch in self._stream(sql):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def _stream(self, sql: str) -> Iterator[Any]:
        from adbc_driver_manager import Error

        with self._errors("wanted to read its rows"):
            connection = self._twin()
            try:
                with connection.cursor() as cursor:
                    cursor.execute(sql)
                    yield from cursor.fetch_record_batch()
            finally:
                with suppress(Error):
                    connection.close()

    def _twin(self) -> AdbcConnection:
        """A connection of ADBC's that sees what this session sees."""
        try:
            from adbc_driver_postgresql import dbapi
        except ImportError:
            raise SourceError(
                "a source of PostgreSQL: wanted the extra `postgres-engine` (pip install …[postgres-engine])"
            ) from None
        with self._lock:
            if not self._snapshot:
                with self._connection.cursor() as cursor:
                    cursor.execute("SELECT pg_export_snapshot()")
                    self._snapshot = (cursor.fetchone() or ("",))[0]
        connection: AdbcConnection = dbapi.connect(self._url, autocommit=True)
        with _closed_on_error(connection), connection.cursor() as cursor:
            # The driver's own way to read, COPY, takes no statements but queries.
            cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
            for statement in (*_SETTINGS, _BEGIN, f"SET TRANSACTION SNAPSHOT '{self._snapshot}'"):
                cursor.execute(statement)
        return connection

    def _execute(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        with self._lock, self._errors("wanted to ask it"), self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def _errors(self, wanted: str) -> Iterator[None]:
        import psycopg2
        from adbc_driver_manager import Error

        try:
            yield
        except (psycopg2.Error, Error, OSError) as error:  # a stream of ADBC's raises OSError
            state = getattr(error, "pgcode", None) or getattr(error, "sqlstate", None) or ""
            text = _PREFIX.sub("", re.split(r"\n(?:Query:|LINE )|\. (?:SQLSTATE|Detail):", str(error))[0], count=1)
            kind = Transient if _TRANSIENT.match(state) or _LOST.search(text) else SourceError
            said = without_secrets(text, self._url)
            if self._tunnel is not None:
                said = self._tunnel.named(said)
                if kind is Transient and (trouble := self._tunnel.trouble) is not None:
                    kind, said = type(trouble), str(trouble)
            raise kind(f"{self._place}: {wanted}, got: {said}") from None

    def close(self) -> None:
        _close(self._connection, self._tunnel)


@contextmanager
def _closed_on_error(connection: AdbcConnection | OpenTunnel | None) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if connection is not None:
            connection.close()
        raise


def _libpq(url: str) -> str:
    """The URL as libpq reads it: SQLAlchemy's names of drivers left out."""
    return re.sub(r"^postgres(?:ql)?(?:\+\w+)?://", "postgresql://", url)


def _close(connection: psycopg2.extensions.connection, tunnel: OpenTunnel | None) -> None:
    import psycopg2

    with suppress(psycopg2.Error):
        connection.close()
    if tunnel is not None:
        tunnel.close()


def _is_name(table: str) -> bool:
    return "\x00" not in table


def _text(value: str) -> str:
    return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
