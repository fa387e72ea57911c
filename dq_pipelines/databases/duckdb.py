"""Sessions in DuckDB: a copy of its file, since DuckDB lets nobody write to a file that another process reads.

A query of the project reads this copy alone: no other file, and no address.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from dq_pipelines.databases.connections import place_of
from dq_pipelines.databases.files import FileSession, change_number, existing, path_of
from dq_pipelines.databases.session import UNREADABLE, Column

if TYPE_CHECKING:
    import polars as pl

_ROWS_AT_ONCE = 20_000
#: One thread gives the same rows in the same order each time.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "threads": "1",
}
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_TIMES = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE")


class DuckdbSession(FileSession):
    """A session by a URL `duckdb:///path`; `new_folder` makes a folder for the copy. Raises SourceError, or Transient."""

    library_errors = (duckdb.Error,)
    temporary = ("lock on file", "different configuration", "Out of Memory")

    def __init__(self, url: str, new_folder: Callable[[], Path]) -> None:
        super().__init__(place_of(url))
        path = existing(path_of(url), self._place)
        log = path.with_name(path.name + ".wal")
        folder = new_folder()
        with self._errors("wanted to open it"):
            self._number = change_number([path, log])
            with duckdb.connect(path, read_only=True, config=_CONFIG):  # nobody writes meanwhile
                shutil.copyfile(path, folder / "copy.db")
                if log.exists():
                    shutil.copyfile(log, folder / "copy.db.wal")
            self._connection = duckdb.connect(folder / "copy.db", read_only=True, config=_CONFIG)
            self._connection.execute("SET GLOBAL TimeZone = 'UTC'")
            self._connection.execute("SET GLOBAL lock_configuration = true")
        self._end_with(folder)

    def tables(self) -> Mapping[str, str]:
        found = self.all(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
            " UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal"
        )
        return {
            f"{schema}.{name}".removeprefix("main."): f"{self.quoted(schema)}.{self.quoted(name)}"
            for schema, name in found
        }

    def columns(self, rows: str) -> Sequence[Column]:
        described = self.all(f"DESCRIBE SELECT * FROM {rows} AS _dq")  # noqa: S608 - quoted by `rows_of`, or the project's own SQL
        return [_column(name, type_, f"_dq.{self.quoted(name)}") for name, type_, *_ in described]

    def point(self, column: Column) -> str | None:
        name = f"_dq.{self.quoted(column.name)}"
        if column.type in _WHOLE:
            return f"{name}::BIGINT"
        if column.type == "TIMESTAMP WITH TIME ZONE":
            return f"epoch_us({name})"
        return f"epoch_us({name}::TIMESTAMP)" if column.type in _TIMES else None

    def literal(self, column: Column, point: int) -> str:
        if column.type in _WHOLE:
            return str(point)
        moment = f"make_timestamp({point}::BIGINT)"
        if column.type == "TIMESTAMP WITH TIME ZONE":
            return f"({moment} AT TIME ZONE 'UTC')"
        return f"{moment}::DATE" if column.type == "DATE" else moment

    def digest(self, rows: str) -> str:
        return "count(*), (coalesce(sum(hash(_dq)), 0) % 9223372036854775807)::BIGINT"

    def batches(self, rows: str, columns: Sequence[Column], where: str, order: str) -> Iterator[pl.DataFrame]:
        import polars as pl

        everything = self.columns(rows)
        # All columns each time, so that the plan and with it the order of rows is the same.
        listed = ", ".join(f"{_sound(column)} AS c{place}" for place, column in enumerate(everything))
        bad = " OR ".join(column.is_unsound for column in everything if column.unsound) or "false"
        places = {column.read: f"c{place}" for place, column in enumerate(everything)}
        for batch in self._stream(f"SELECT {listed}, {bad} AS bad FROM {rows} AS _dq{where}{order}"):  # noqa: S608
            raw = pl.DataFrame(batch)
            yield raw.select(
                *(pl.col(places[column.read]).cast(column.dtype).alias(column.name) for column in columns),
                pl.col("bad").alias(UNREADABLE),
            )

    def unreadable(self, rows: str, columns: Sequence[Column], where: str, order: str) -> Iterator[tuple[str, str]]:
        bad = [column for column in columns if column.unsound]
        if not bad:
            return
        whys = " ".join(f"WHEN {column.is_unsound} THEN {place}" for place, column in enumerate(bad))
        everything = ", ".join(f"{column.read}" for column in self.columns(rows))
        for batch in self._stream(
            f"SELECT _dq::VARCHAR, CASE {whys} END, {everything} FROM {rows} AS _dq{where}{order}"  # noqa: S608
        ):
            for text, why in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
                if why is not None:
                    yield text, bad[why].why_unreadable

    def _stream(self, sql: str) -> Iterator[Any]:
        with self._errors("wanted to read its rows"), self._lock:
            connection = self._connection.cursor()
        try:
            with self._errors("wanted to read its rows"):
                yield from connection.sql(sql).to_arrow_reader(_ROWS_AT_ONCE)
        finally:
            connection.close()

    def said(self, error: Exception) -> str:
        return re.sub(r"^\w[\w ]* Error: ", "", str(error).split("\n\n")[0])


def _sound(column: Column) -> str:
    return f"CASE WHEN {column.unsound} THEN NULL ELSE {column.read} END" if column.unsound else column.read


def _column(name: str, type_: str, value: str) -> Column:
    """A column by what DuckDB says of a query's result."""
    import polars as pl

    plain: dict[str, pl.DataType] = {
        "BOOLEAN": pl.Boolean(), "TINYINT": pl.Int8(), "SMALLINT": pl.Int16(), "INTEGER": pl.Int32(), "BIGINT": pl.Int64(),
        "UTINYINT": pl.UInt8(), "USMALLINT": pl.UInt16(), "UINTEGER": pl.UInt32(), "UBIGINT": pl.UInt64(),
        "FLOAT": pl.Float32(), "DOUBLE": pl.Float64(), "VARCHAR": pl.String(), "BLOB": pl.Binary(),
    }  # fmt: skip
    moments: dict[str, pl.DataType] = {
        "DATE": pl.Date(), "TIMESTAMP": pl.Datetime("us"), "TIMESTAMP_S": pl.Datetime("ms"), "TIMESTAMP_MS": pl.Datetime("ms"),
        "TIMESTAMP WITH TIME ZONE": pl.Datetime("us", "UTC"),
    }  # fmt: skip
    if type_ in plain:
        return Column(name, type_, plain[type_], value)
    if type_ == "TIMESTAMP_NS":  # all of them lie between 1677 and 2262
        return Column(name, type_, pl.Datetime("ns"), value, f"(NOT isfinite({value}::TIMESTAMP))")
    if type_ in moments:
        return Column(name, type_, moments[type_], value, f"({value} < '0001-01-01' OR {value} >= '10000-01-01')")
    if type_ == "TIME":
        return Column(name, type_, pl.Time(), value, f"({value} >= '24:00:00')")
    if decimal := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", type_):
        return Column(name, type_, pl.Decimal(int(decimal[1]), int(decimal[2])), value)
    if type_.endswith("]") or type_.startswith(("STRUCT(", "MAP(", "UNION(")):
        return Column(name, type_, pl.String(), f"to_json({value})::VARCHAR")
    return Column(name, type_, pl.String(), f"{value}::VARCHAR")
