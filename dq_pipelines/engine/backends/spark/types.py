"""Types of Spark and of Polars: what goes in, in which types, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from dq_pipelines.errors import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

#: The type of Spark that takes the place of one of Polars, without loss.
_WIDER: Mapping[Any, Any] = {
    pl.UInt8: pl.Int16, pl.UInt16: pl.Int32, pl.UInt32: pl.Int64, pl.UInt64: pl.Decimal(20, 0),
    pl.Int128: pl.Decimal(38, 0), pl.Float16: pl.Float32, pl.Categorical: pl.String, pl.Enum: pl.String,
}  # fmt: skip


def in_spark_types(frame: pl.LazyFrame) -> pl.LazyFrame:
    """The frame in types that Spark has; no value changes."""
    schema = frame.collect_schema()
    wider: Any = {name: _WIDER[dtype.base_type()] for name, dtype in schema.items() if dtype.base_type() in _WIDER}
    return frame.cast(wider) if wider else frame


def must_be_storable(rows: pl.DataFrame, session: Any) -> None:
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


def spark_schema(schema: pa.Schema) -> Any:
    """Spark's schema of Arrow's."""
    from pyspark.sql.pandas.types import from_arrow_schema

    # A datetime without a zone stays without one.
    return from_arrow_schema(schema, prefer_timestamp_ntz=True)


def arrow_schema(native: Any) -> pa.Schema:
    """Arrow's schema of a Spark frame, datetimes in UTC."""
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(native.schema, timezone="UTC")
