"""The columns of rows that land, compared with bronze's: what bronze takes on, and in which types it holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from dq_pipelines.lake.schema_evolution import Drift, conformed, drift
from dq_pipelines.lake.tables import PARTITION, LakeTable, TableOrSnapshot, as_snapshot
from dq_pipelines.pipeline.bronze.batch import SYSTEM_COLUMNS
from dq_pipelines.pipeline.bronze.landed import bronze
from dq_pipelines.pipeline.bronze.landed_names import resolved
from dq_pipelines.pipeline.runtime.table_run import TableRun


def schema_of(table: TableOrSnapshot) -> pl.Schema | None:
    """A table's columns without that of its partitions; None when nothing was ever published to it."""
    published = as_snapshot(table)
    return own_schema(published.schema) if published.exists else None


def own_schema(columns: pl.Schema) -> pl.Schema:
    """The columns without that of their partition."""
    return pl.Schema({name: dtype for name, dtype in columns.items() if name != PARTITION})


def about_to_be_published(rows: pl.LazyFrame, columns: Sequence[str], table: LakeTable) -> pl.Schema:
    """The types in which a table would store these columns; Null where a column has no value of any type."""
    landed = rows.collect_schema()
    stored = table.format.storable(rows).collect_schema()
    return pl.Schema({name: landed[name] if landed[name] == pl.Null else stored[name] for name in columns})


def landing_drift(work: TableRun, rows: pl.LazyFrame, before: pl.Schema | None) -> Drift | None:
    """What bronze, which has the columns of `before`, would have to become to hold these rows; None before it is made.

    It takes on new columns. Where silver declares a type, it takes any type, as text if need be: silver refuses row by row
    what does not fit. Elsewhere it takes a type only where the table's policy allows it, since what has once landed
    as text will never be a number again.
    """
    if before is None:
        return None
    columns = [name for name in rows.collect_schema() if name not in (*SYSTEM_COLUMNS, PARTITION)]
    silver = resolved(work.table.landed.silver, [*columns, *before]).columns
    declared = {source for name, column in silver.items() for source in column.sources or (name,)}
    differences = drift(
        before, about_to_be_published(rows, columns, bronze(work.table, work.lake)), work.table.landed.evolution
    )
    changes = [change for change in differences.changes if change.kind == "retyped"]
    harmless = [
        replace(change, wants="strict")
        if change.becomes == change.before or (change.wants in ("widen", "evolve") and change.column in declared)
        else change
        for change in changes
    ]
    return replace(differences, changes=tuple(harmless))


def as_bronze(rows: pl.LazyFrame, differences: Drift | None) -> pl.LazyFrame:
    """The rows in bronze's types, with no more columns than they have landed with."""
    if differences is None or differences.refused:
        return rows
    schema = rows.collect_schema()
    changed = [change.column for change in differences.changes if change.column in schema]
    return conformed(rows, {name: differences.schema[name] for name in changed})
