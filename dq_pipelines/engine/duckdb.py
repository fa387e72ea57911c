"""DuckDB as an engine: its relations, and Polars frames and files, judged where they are.

Files are read by DuckDB itself where it reads them as our own sources do (Parquet); others come through those sources.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import narwhals as nw
import polars as pl

from dq_pipelines.engine.base import Engine
from dq_pipelines.engine.frames import frame_from
from dq_pipelines.rules.asides import Aside, ByText, InOrder, RowSql
from dq_pipelines.rules.base import QueryRule, Rule
from dq_pipelines.rules.dialect import Dialect
from dq_pipelines.rules.quantiles import QuantileValues

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

#: Rows of one batch that goes out: few, so that whoever looks for some rows gets them early.
_BATCH_ROWS = 10_000


class DuckDB(Engine):
    """An in-process DuckDB of its own, or the one that a relation belongs to."""

    name = "duckdb"
    dialect = Dialect(regex="re2", numbers_written="1e16 for 1e+16")
    gaps: ClassVar[Mapping[type[Rule | Aside], str]] = {
        InOrder: "rows of a relation have no order",
        ByText: "only Python gives this answer",
        RowSql: "the SQL is written for Polars, and dialects differ",
        QueryRule: "the SQL is written for Polars, and dialects differ",
        QuantileValues: "its quantiles lie between values, where the rule's are values that are there",
    }

    def __init__(self, address: str | None = None) -> None:
        import duckdb

        self._connection = duckdb.connect()
        # Polars reads several frames of one query from several threads.
        self._lock = threading.Lock()
        self._open: _Result | None = None

    @classmethod
    def owns(cls, data: Any) -> bool:
        return type(data).__name__ == "DuckDBPyRelation"

    def hold(self, data: Any) -> nw.LazyFrame[Any]:
        return nw.from_native(data if self.owns(data) else self._relation(data))

    def _relation(self, data: Any) -> duckdb.DuckDBPyRelation:
        if isinstance(data, str | Path) and Path(data).suffix == ".parquet":
            return self._connection.read_parquet(str(data))
        return self._connection.from_arrow(frame_from(data).collect(engine="streaming").to_arrow())

    def records(self, frame: nw.LazyFrame[Any]) -> list[dict[str, Any]]:
        relation: duckdb.DuckDBPyRelation = frame.to_native()
        with self._lock:
            self._settle()
            return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]

    def batches(self, frame: nw.LazyFrame[Any]) -> Iterator[pl.DataFrame]:
        with self._lock:
            self._settle()
            result = _Result(frame.to_native().to_arrow_reader(_BATCH_ROWS))
            self._open = result
        try:
            yield result.no_rows
            while (batch := self._next(result)) is not None:
                yield batch
        finally:
            with self._lock:
                result.close()

    def _next(self, result: _Result) -> pl.DataFrame | None:
        with self._lock:
            return result.next()

    def _settle(self) -> None:
        """Make the connection free: it can have one result open, and somebody may still be reading it."""
        if self._open is not None:
            self._open.keep_rest()
            self._open = None

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        import duckdb

        return (duckdb.Error,)

    def stop(self) -> None:
        self._connection.interrupt()


class _Result:
    """An open result: read batch by batch, unless the connection was wanted for another query meanwhile."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader
        self._kept: deque[pl.DataFrame] | None = None
        self.no_rows = pl.DataFrame(reader.schema.empty_table())

    def next(self) -> pl.DataFrame | None:
        """The next batch; None after the last."""
        if self._kept is not None:
            return self._kept.popleft() if self._kept else None
        batch = next(self._reader, None)
        return None if batch is None else pl.DataFrame(batch)

    def keep_rest(self) -> None:
        """Read what is left into memory."""
        if self._kept is None:
            self._kept = deque(pl.DataFrame(batch) for batch in self._reader)
            self._reader.close()

    def close(self) -> None:
        """Give up what is left."""
        if self._kept is None:
            self._kept = deque()
            self._reader.close()
