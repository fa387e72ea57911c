"""DuckDB as an engine: its relations, and Polars frames and files, judged where they are.

Files are read by DuckDB itself where it reads them as our own sources do (Parquet); others come through those sources.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import narwhals as nw
import polars as pl

from dq_pipelines.engine.backends.base import Engine
from dq_pipelines.engine.backends.frames import frame_from
from dq_pipelines.errors import SourceError
from dq_pipelines.rules.core.dialect import Dialect

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

#: Types of Polars that reach DuckDB as nothing, or as what Polars cannot read back.
_NOT_IN_DUCKDB = (pl.Int128, pl.UInt128, pl.Duration)

#: Rows of one batch that goes out: few, so that whoever looks for some rows gets them early.
_BATCH_ROWS = 10_000


class DuckDB(Engine):
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

    def hold(self, data: Any) -> nw.LazyFrame[Any]:
        return nw.from_native(_known(data if self.owns(data) else self._relation(data)))

    def _relation(self, data: Any) -> duckdb.DuckDBPyRelation:
        if isinstance(data, str | Path) and Path(data).suffix == ".parquet":
            return self._connection.read_parquet(str(data))
        frame = frame_from(data)
        for name, dtype in frame.collect_schema().items():
            if isinstance(dtype, _NOT_IN_DUCKDB):
                raise SourceError(f"column '{name}' is {dtype}, which DuckDB does not take: judge by Polars")
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


def _known(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The same, with columns of types that Narwhals knows: one that it does not know passes for one of nulls only."""
    import duckdb

    schema = nw.from_native(relation).collect_schema()
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    unknown = {name for name, dtype in schema.items() if dtype == nw.Unknown and types[name] != '"NULL"'}
    # Polars reads no interval of DuckDB's, which has months, days and microseconds.
    unknown |= {name for name, kind in types.items() if kind == "INTERVAL"}
    if not unknown:
        return relation
    return relation.select(
        *(
            column.cast("TIME" if types[name] == "TIME_NS" else "VARCHAR").alias(name) if name in unknown else column
            for name in relation.columns
            for column in [duckdb.ColumnExpression(name)]
        )
    )
