"""Spark as a backend: its frames, classic or of Spark Connect, judged by their own session; other data are loaded into one.

`session` finds or starts the session.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl
from narwhals.dtypes import DType

from dq_pipelines.engine.backends.frames import frame_from
from dq_pipelines.engine.backends.spark.session import naive_moments, runs_here, session_at
from dq_pipelines.engine.backends.spark.types import arrow_schema, in_spark_types, must_be_storable, spark_schema
from dq_pipelines.engine.backends.sql.sql_backend import SqlBackend
from dq_pipelines.rules.core.dialect import Dialect

if TYPE_CHECKING:
    import pyarrow as pa


class Spark(SqlBackend):
    """The session that a frame belongs to; for other data the active one, one at an address, or a new one."""

    name = "spark"
    schemes = ("spark", "sc")
    dialect: Dialect = Dialect(regex="java", sums_booleans=False, numbers_written="1.0E16 for 1e+16")

    def __init__(self, address: str | None = None) -> None:
        self._address = address
        self._session: Any = None

    @classmethod
    def owns(cls, data: Any) -> bool:
        return type(data).__name__ == "DataFrame" and type(data).__module__.startswith("pyspark.sql.")

    def open(self, data: Any) -> nw.LazyFrame[Any]:
        if self.owns(data):
            self._session = data.sparkSession
            return self._opened(data)
        self._connect()
        return self._opened(self._loaded(frame_from(data)))

    def open_file(self, path: str | Path, rows: pl.LazyFrame) -> nw.LazyFrame[Any]:
        """Parquet is read by Spark itself where it runs in this process, and so sees this machine's files."""
        self._connect()
        if Path(path).suffix == ".parquet" and runs_here(self._session):
            # What Spark cannot read (nanoseconds), our own source can.
            with contextlib.suppress(*self.errors):
                return self._opened(self._session.read.parquet(str(Path(path).absolute())))
        return self._opened(self._loaded(rows))

    def _connect(self) -> None:
        self._session = self._session or session_at(self._address)

    def _opened(self, native: Any) -> nw.LazyFrame[Any]:
        self.dialect = replace(type(self).dialect, naive_moments=naive_moments(self._session))
        frame: nw.LazyFrame[Any] = nw.from_native(native)
        return frame

    def _loaded(self, frame: pl.LazyFrame) -> Any:
        rows = in_spark_types(frame).collect(engine="streaming")
        must_be_storable(rows, self._session)
        table = rows.to_arrow()
        return self._session.createDataFrame(table, spark_schema(table.schema))

    def schema(self, frame: nw.LazyFrame[Any]) -> Mapping[str, DType]:
        schema = frame.collect_schema()
        unknown = [name for name, dtype in schema.items() if isinstance(dtype, nw.Unknown)]
        if not unknown:
            return schema
        # Narwhals does not know Spark's times of day, and takes them for a column of nulls, by which every rule holds.
        empty = pl.DataFrame(arrow_schema(frame.select(unknown).to_native()).empty_table())
        return {**schema, **nw.from_native(empty).schema}

    def records(self, frame: nw.LazyFrame[Any]) -> list[dict[str, Any]]:
        return pl.DataFrame(frame.to_native().toArrow()).to_dicts()

    def batches(self, frame: nw.LazyFrame[Any]) -> Generator[pl.DataFrame]:
        native = frame.to_native()
        yield pl.DataFrame(arrow_schema(native).empty_table())
        yield from (pl.DataFrame(part) for part in (_streamed if _is_remote(native) else _by_partition)(native))

    def try_out(self, frame: nw.LazyFrame[Any]) -> None:
        # Whatever it refuses it refuses before a job runs, and a job costs a tenth of a second.
        _ = frame.to_native().schema

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        # Of a job that fails while its rows are fetched pyspark lets py4j's own error through.
        return (PySparkException, Py4JError)

    def stop(self) -> None:
        if self._session is not None:
            self._session.interruptAll()


def _is_remote(native: Any) -> bool:
    return ".connect." in type(native).__module__


def _streamed(native: Any) -> Iterator[pa.Table]:
    """The rows as Spark Connect sends them, batch by batch."""
    import pyarrow as pa

    # Its public `toLocalIterator` makes a Python tuple of every row of these tables.
    plan, client = native._plan, native.sparkSession.client  # noqa: SLF001
    parts = client.to_table_as_iterator(plan.to_proto(client), plan.observations)
    return (part for part in parts if isinstance(part, pa.Table))


def _by_partition(native: Any) -> Iterator[pa.RecordBatch]:
    """The rows as Arrow's batches, one partition after another: no more of them than that is in memory."""
    import pyarrow as pa
    from pyspark import RDD
    from pyspark.serializers import NoOpSerializer

    schema = arrow_schema(native)
    # Its public `toLocalIterator` pickles rows, a hundred times slower, and `toArrow` holds all of them.
    batches = native._jdf.toArrowBatchRdd().toJavaRDD()  # noqa: SLF001
    parts: Any = RDD(batches, native.sparkSession.sparkContext, NoOpSerializer())
    return (pa.ipc.read_record_batch(pa.py_buffer(part), schema) for part in parts.toLocalIterator())


BACKEND = Spark
