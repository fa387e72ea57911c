"""Spark as an engine: its frames, classic or of Spark Connect, judged by their own session; others are brought there.

Which session that is, and how one is started, belongs in `spark_session`.
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

from dq_pipelines.engine.backends.base import Engine
from dq_pipelines.engine.backends.frames import frame_from
from dq_pipelines.engine.backends.spark.session import naive_moments, runs_here, session_at
from dq_pipelines.errors import SourceError
from dq_pipelines.rules.core.dialect import Dialect

if TYPE_CHECKING:
    import pyarrow as pa

#: What stands for a type of Polars that Spark lacks and that loses nothing by it.
_WIDER: Mapping[Any, Any] = {
    pl.UInt8: pl.Int16, pl.UInt16: pl.Int32, pl.UInt32: pl.Int64, pl.UInt64: pl.Decimal(20, 0),
    pl.Int128: pl.Decimal(38, 0), pl.Float16: pl.Float32, pl.Categorical: pl.String, pl.Enum: pl.String,
}  # fmt: skip


class Spark(Engine):
    """The session that a frame belongs to; for other data the active one, one at an address, or a new one."""

    name = "spark"
    dialect: Dialect = Dialect(regex="java", sums_booleans=False, numbers_written="1.0E16 for 1e+16")

    def __init__(self, address: str | None = None) -> None:
        self._address = address
        self._session: Any = None

    @classmethod
    def owns(cls, data: Any) -> bool:
        return type(data).__name__ == "DataFrame" and type(data).__module__.startswith("pyspark.sql.")

    def hold(self, data: Any) -> nw.LazyFrame[Any]:
        if self.owns(data):
            self._session, native = data.sparkSession, data
        else:
            self._session = self._session or session_at(self._address)
            native = self._frame(data)
        self.dialect = replace(type(self).dialect, naive_moments=naive_moments(self._session))
        frame: nw.LazyFrame[Any] = nw.from_native(native)
        return frame

    def _frame(self, data: Any) -> Any:
        if isinstance(data, str | Path) and Path(data).suffix == ".parquet" and runs_here(self._session):
            # What Spark cannot read (nanoseconds) our own source can, and what is not there it tells.
            with contextlib.suppress(*self.errors):
                return self._session.read.parquet(str(Path(data).absolute()))
        rows = _as_spark_has_it(frame_from(data)).collect(engine="streaming")
        _check(rows, self._session)
        table = rows.to_arrow()
        return self._session.createDataFrame(table, _schema(table.schema))

    def schema(self, frame: nw.LazyFrame[Any]) -> Mapping[str, DType]:
        found = frame.collect_schema()
        unknown = [name for name, dtype in found.items() if isinstance(dtype, nw.Unknown)]
        if not unknown:
            return found
        # Narwhals does not know Spark's times of day, and takes them for a column of nulls, by which every rule holds.
        empty = pl.DataFrame(_arrow_schema(frame.select(unknown).to_native()).empty_table())
        return {**found, **nw.from_native(empty).schema}

    def records(self, frame: nw.LazyFrame[Any]) -> list[dict[str, Any]]:
        return pl.DataFrame(frame.to_native().toArrow()).to_dicts()

    def batches(self, frame: nw.LazyFrame[Any]) -> Generator[pl.DataFrame]:
        native = frame.to_native()
        yield pl.DataFrame(_arrow_schema(native).empty_table())
        yield from (pl.DataFrame(part) for part in (_streamed if _is_remote(native) else _by_partition)(native))

    def understands(self, frame: nw.LazyFrame[Any]) -> None:
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


def _as_spark_has_it(frame: pl.LazyFrame) -> pl.LazyFrame:
    """The frame in types that Spark has."""
    schema = frame.collect_schema()
    wider: Any = {name: _WIDER[dtype.base_type()] for name, dtype in schema.items() if dtype.base_type() in _WIDER}
    return frame.cast(wider) if wider else frame


def _check(rows: pl.DataFrame, session: Any) -> None:
    """Raise SourceError for what Spark would read as something else."""
    for name, dtype in rows.schema.items():
        if "." in name or "`" in name:
            raise SourceError(f"column '{name}': to Spark a dot is the way into a struct; rename the column")
        if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns" and (rows[name].to_physical() % 1000 != 0).any():
            raise SourceError(f"column '{name}' tells nanoseconds, which Spark cuts off; cast it to microseconds")
        if dtype == pl.Time and session.conf.get("spark.sql.timeType.enabled") != "true":
            raise SourceError(
                f"column '{name}' is a time of day; this Spark session has spark.sql.timeType.enabled off"
            )


def _schema(schema: pa.Schema) -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    # A datetime without a zone stays without one.
    return from_arrow_schema(schema, prefer_timestamp_ntz=True)


def _arrow_schema(native: Any) -> pa.Schema:
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(native.schema, timezone="UTC")


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

    schema = _arrow_schema(native)
    # Its public `toLocalIterator` pickles rows, a hundred times slower, and `toArrow` holds all of them.
    batches = native._jdf.toArrowBatchRdd().toJavaRDD()  # noqa: SLF001
    parts: Any = RDD(batches, native.sparkSession.sparkContext, NoOpSerializer())
    return (pa.ipc.read_record_batch(pa.py_buffer(part), schema) for part in parts.toLocalIterator())
