"""PostgreSQL as a backend: a table judged inside its database, or other rows in a temporary table of it.

Types of columns are in `types`, the SQL of expressions in `sql`. All queries of one verdict run in one read-only
transaction, so that they see one state of the table.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
import weakref
from collections.abc import Generator
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import narwhals as nw
import polars as pl

from dq_pipelines.engine.backends.frames import frame_from, is_path_of_file
from dq_pipelines.engine.backends.sql.sql_backend import SqlBackend
from dq_pipelines.errors import SourceError, nearest
from dq_pipelines.rules.core.dialect import Dialect

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_manager.dbapi import Connection
    from sqlglot import exp

    from dq_pipelines.engine.backends.postgresql.types import Column

#: Rows of one batch that goes out.
_BATCH_ROWS = 50_000
#: Settings of a session: dates as Python writes them, cursors that will be read to their end, read-only transactions.
_SESSION = (
    "SET TimeZone = 'UTC'",
    "SET DateStyle = 'ISO, YMD'",
    "SET IntervalStyle = 'postgres'",
    "SET cursor_tuple_fraction = 1",
    "SET standard_conforming_strings = on",
    "SET default_transaction_read_only = on",
)
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_TABLE = """
SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)"""
_TABLES = """
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname::text ELSE n.nspname || '.' || c.relname END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"""
#: A domain is what it is made of; of a numeric, the digits in all and after the point, where they are declared.
_COLUMNS = """
WITH RECURSIVE found AS (
    SELECT a.attnum, a.attname, a.atttypid AS type, a.atttypmod AS mod FROM pg_attribute a
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT f.attnum, f.attname, t.typbasetype, CASE WHEN f.mod = -1 THEN t.typtypmod ELSE f.mod END
    FROM found f JOIN pg_type t ON t.oid = f.type WHERE t.typtype = 'd'
)
SELECT f.attname::text, t.typname::text,
    CASE WHEN t.typname = 'numeric' AND f.mod >= 4 THEN ((f.mod - 4) >> 16) & 65535 END AS digits,
    CASE WHEN t.typname = 'numeric' AND f.mod >= 4 THEN (((f.mod - 4) & 2047) # 1024) - 1024 END AS scale
FROM found f JOIN pg_type t ON t.oid = f.type WHERE t.typtype <> 'd' ORDER BY f.attnum"""


class _Refused(SourceError):
    """PostgreSQL could not run a query, or could not be reached."""


class PostgreSQL(SqlBackend):
    """A session in a database, by its URL; without one, by `DQ_POSTGRES_URL` or as libpq's own variables say."""

    name = "postgresql"
    schemes = ("postgresql", "postgres")
    dialect = Dialect(regex="postgresql", numbers_written="1 for 1.0")

    def __init__(self, address: str | None = None) -> None:
        self._address = address or os.environ.get("DQ_POSTGRES_URL") or "postgresql://"
        self._bases: dict[str, exp.Query] = {}
        self._numbers = itertools.count(1)
        # Polars reads several frames of one query from several threads, and a connection does one thing at a time.
        self._lock = threading.Lock()
        self._connection = self._connected()
        weakref.finalize(self, _close, self._connection)

    def _connected(self) -> Connection:
        from adbc_driver_manager import Error

        try:
            from adbc_driver_postgresql import dbapi
        except ImportError:
            raise SourceError(
                "engine postgresql: wanted the extra `postgres-engine` (pip install …[postgres-engine])"
            ) from None
        try:
            # Transactions are begun by us: the driver's own cannot go on after an error, not even by a savepoint.
            connection: Connection = dbapi.connect(self._address, autocommit=True)
        except Error as error:
            raise _Refused(f"PostgreSQL cannot be reached: {self._safe(str(error))}") from None
        with connection.cursor() as cursor:
            for setting in (*_SESSION, _BEGIN):
                cursor.execute(setting)
        return connection

    def _safe(self, message: str) -> str:
        """The message of PostgreSQL in one line, without the query and without the password of the address."""
        match = re.search(r"ERROR: +(.+?)(?:\n|$)", message) or re.search(r"(?s)(?:FATAL: +|\[libpq\] )(.+)", message)
        text = " ".join((match.group(1) if match else message).split())
        with suppress(ValueError):
            password = urlsplit(self._address).password
            for secret in {password, unquote(password)} if password else ():
                text = text.replace(secret, "***")
        return text.replace(self._address, "***")

    @classmethod
    def owns(cls, data: Any) -> bool:
        return isinstance(data, str) and not is_path_of_file(data)

    def open(self, data: Any) -> nw.LazyFrame[Any]:
        from dq_pipelines.engine.backends.postgresql.sql import frame_of, select_from

        table, columns = self._table(data) if self.owns(data) else self._loaded(frame_from(data))
        name = f"_dq_rows_{next(self._numbers)}"
        self._bases[name] = select_from(table, columns)
        return frame_of(name, columns)

    def _table(self, name: str) -> tuple[tuple[str, str], list[Column]]:
        """Where the user's table lies, and its columns. Its name is read by PostgreSQL itself, as psql reads it."""
        from dq_pipelines.engine.backends.postgresql.types import of_table

        relations = self._rows(_TABLE, name)
        if not relations or relations[0][3] not in "rvmfp":
            known = [row[0] for row in self._rows(_TABLES)]
            raise SourceError(f"PostgreSQL has no table '{name}' that this user sees{nearest(name, known)}")
        oid, schema, relation, _ = relations[0]
        listed = self._rows(_COLUMNS, oid)
        scales = self._scales((schema, relation), [row[0] for row in listed if row[1] == "numeric" and row[3] is None])
        columns = [
            of_table(column, type_, digits, scales.get(column, scale)) for column, type_, digits, scale in listed
        ]
        if not columns:
            raise SourceError(f"table '{name}' has no columns")
        return (schema, relation), columns

    def _scales(self, table: tuple[str, str], names: list[str]) -> dict[str, int | None]:
        """How many digits after the point the values of these columns have at the most."""
        from dq_pipelines.engine.backends.postgresql.sql import quoted

        if not names:
            return {}
        most = ", ".join(f"max(scale({quoted(name)})) AS {quoted(name)}" for name in names)
        (scales,) = self._rows(f"SELECT {most} FROM {'.'.join(map(quoted, table))}")  # noqa: S608 - quoted identifiers
        return dict(zip(names, scales, strict=True))

    def _loaded(self, rows: pl.LazyFrame) -> tuple[tuple[str, str], list[Column]]:
        """Rows from elsewhere, copied into a temporary table that ends with the session."""
        from adbc_driver_manager import Error

        from dq_pipelines.engine.backends.postgresql.sql import quoted
        from dq_pipelines.engine.backends.postgresql.types import stored

        declared, kept, columns = stored(rows.collect(engine="streaming"))
        table = f"_dq_loaded_{next(self._numbers)}"
        listed = ", ".join(f"{quoted(name)} {type_}" for name, type_ in declared)
        with self._lock, self._connection.cursor() as cursor:
            cursor.execute("COMMIT")
            try:
                cursor.execute("BEGIN READ WRITE")
                cursor.execute(f"CREATE TEMPORARY TABLE {quoted(table)} ({listed})")
                if kept.height:
                    cursor.adbc_ingest(table, kept.to_arrow(), mode="append", temporary=True)
            except Error as error:
                cursor.execute("ROLLBACK")
                raise _Refused(f"PostgreSQL cannot take these rows: {self._safe(str(error))}") from None
            else:
                cursor.execute("COMMIT")
            finally:
                cursor.execute(_BEGIN)
        return ("pg_temp", table), columns

    def records(self, frame: nw.LazyFrame[Any]) -> list[dict[str, Any]]:
        dtypes = frame.collect_schema()
        with self._lock:
            rows = self._asked(self._written(frame))
        return [
            {name: _python(value, dtype) for (name, dtype), value in zip(dtypes.items(), row.values(), strict=True)}
            for row in rows.to_pylist()
        ]

    def batches(self, frame: nw.LazyFrame[Any]) -> Generator[pl.DataFrame]:
        from dq_pipelines.engine.backends.postgresql.sql import polars_types
        from dq_pipelines.engine.backends.postgresql.types import as_polars

        types = polars_types(frame)
        cursor = f"_dq_cursor_{next(self._numbers)}"
        with self._lock:
            self._asked(f"DECLARE {cursor} NO SCROLL CURSOR FOR {self._written(frame)}")
        try:
            first = True
            while True:
                with self._lock:
                    rows = self._asked(f"FETCH {_BATCH_ROWS} FROM {cursor}")
                if first or rows.num_rows:
                    yield as_polars(rows, types)
                if not rows.num_rows:
                    break
                first = False
        finally:
            with self._lock, suppress(_Refused):
                self._asked(f"CLOSE {cursor}")

    def _written(self, frame: nw.LazyFrame[Any]) -> str:
        from dq_pipelines.engine.backends.postgresql.sql import written

        return written(frame, self._bases)

    def _rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return [tuple(row.values()) for row in self._asked(query, *parameters).to_pylist()]

    def _asked(self, query: str, *parameters: Any) -> pa.Table:
        """What one statement gives. One that fails leaves the transaction, and the cursors open in it, as they were."""
        from adbc_driver_manager import Error

        with self._connection.cursor() as cursor:
            # Read as the rows come: by COPY, which is the driver's own way, nothing can be fetched of a cursor.
            cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
            cursor.execute("SAVEPOINT dq")
            try:
                cursor.execute(query, parameters or None)
                rows: pa.Table = cursor.fetch_arrow_table()
            except Error as error:
                cursor.execute("ROLLBACK TO SAVEPOINT dq")
                raise _Refused(f"PostgreSQL: {self._safe(str(error))}") from None
            cursor.execute("RELEASE SAVEPOINT dq")
        return rows

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        from ibis.common.annotations import ValidationError
        from ibis.common.exceptions import IbisError

        # The last two: Narwhals asks a column of ibis for what its type has not, such as the mean of dates.
        return (_Refused, IbisError, ValidationError, AttributeError, TypeError)

    def stop(self) -> None:
        self._connection.adbc_cancel()


def _close(connection: Connection) -> None:
    from adbc_driver_manager import Error

    with suppress(Error):
        connection.close()


def _python(value: Any, dtype: nw.dtypes.DType) -> Any:
    """A value as the type says: PostgreSQL sums and averages integers as numerics, which come as text."""
    if isinstance(value, str) and dtype.is_numeric():
        return float(value) if dtype.is_float() else Decimal(value) if dtype.is_decimal() else int(Decimal(value))
    return value


BACKEND = PostgreSQL
