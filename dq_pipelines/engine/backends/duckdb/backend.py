"""DuckDB as a backend: its own relations, Parquet files, and Polars frames that are loaded into it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import narwhals as nw
import polars as pl

from dq_pipelines.engine.backends.duckdb.types import in_known_types, must_be_storable
from dq_pipelines.engine.backends.frames import frame_from
from dq_pipelines.engine.backends.sql.sql_backend import SqlBackend
from dq_pipelines.errors import SourceError
from dq_pipelines.rules.core.dialect import Dialect

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

#: Rows of one batch that is read out: few, so that a search for some rows ends early.
_BATCH_ROWS = 10_000


class DuckDB(SqlBackend):
    """An in-process DuckDB of its own, or the one that a relation belongs to."""

    name = "duckdb"
    dialect = Dialect(regex="re2", numbers_written="1e16 for 1e+16")

    def __init__(self, address: str | None = None) -> None:
        import duckdb

        self._connection = duckdb.connect()
        # SQL of a rule means the same on machines of all zones.
        self._connection.execute("SET TimeZone = 'UTC'")
        self._reading: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()

    @classmethod
    def owns(cls, data: Any) -> bool:
        return type(data).__name__ == "DuckDBPyRelation"

    def open(self, data: Any) -> nw.LazyFrame[Any]:
        return nw.from_native(in_known_types(data if self.owns(data) else self._loaded(frame_from(data))))

    def open_file(self, path: str | Path, rows: pl.LazyFrame) -> nw.LazyFrame[Any]:
        """Parquet is read by DuckDB itself, which reads it as our own source does."""
        if Path(path).suffix != ".parquet":
            return self.open(rows)
        return nw.from_native(in_known_types(self._connection.read_parquet(str(path))))

    def _loaded(self, frame: pl.LazyFrame) -> duckdb.DuckDBPyRelation:
        must_be_storable(frame.collect_schema())
        return self._connection.from_arrow(frame.collect(engine="streaming").to_arrow())

    def records(self, frame: nw.LazyFrame[Any]) -> list[dict[str, Any]]:
        relation: duckdb.DuckDBPyRelation = frame.to_native()
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]

    def batches(self, frame: nw.LazyFrame[Any]) -> Generator[pl.DataFrame]:
        cursor = self._connection.cursor()
        self._reading.add(cursor)
        reader = self._reader(cursor, frame.to_native())
        try:
            yield pl.DataFrame(reader.schema.empty_table())
            for batch in reader:
                yield pl.DataFrame(batch)
        except pl.exceptions.PanicException as error:
            raise SourceError(f"DuckDB: wanted values that Polars can hold, got: {error}") from None
        finally:
            reader.close()

    @staticmethod
    def _reader(cursor: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation) -> pa.RecordBatchReader:
        """The rows on a cursor of their own: a connection refuses all else while somebody reads from it.

        Tables of another connection are unknown to ours: a relation over those is read whole.
        """
        import duckdb

        try:
            return cursor.sql(relation.sql_query()).to_arrow_reader(_BATCH_ROWS)
        except (duckdb.CatalogException, duckdb.BinderException):
            return relation.to_arrow_table().to_reader(_BATCH_ROWS)

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        import duckdb

        return (duckdb.Error,)

    def stop(self) -> None:
        for connection in (self._connection, *self._reading):
            connection.interrupt()


BACKEND = DuckDB
