"""Types of DuckDB and of Polars: what goes in, and what comes out as something that Polars reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from dq_pipelines.errors import SourceError

if TYPE_CHECKING:
    import duckdb

#: Types of Polars that reach DuckDB as nothing, or as what Polars cannot read back.
_NOT_IN_DUCKDB = (pl.Int128, pl.UInt128, pl.Duration)


def must_be_storable(schema: pl.Schema) -> None:
    """Raise SourceError for a column whose type DuckDB does not take."""
    for name, dtype in schema.items():
        if isinstance(dtype, _NOT_IN_DUCKDB):
            raise SourceError(f"column '{name}' is {dtype}, which DuckDB does not take: judge by Polars")


def in_known_types(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The same rows in types that Narwhals knows: it takes a column of an unknown type for one of nulls only."""
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
