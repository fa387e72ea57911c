"""Which published rows stay in silver when a batch is published: none, or one frame. Rules that look into tables ask here."""

from __future__ import annotations

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.lake.schema_evolution import comparable
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.pipeline.preparation.preparation import Prepared
from dq_pipelines.pipeline.runtime.table_run import TableRun


def may_stay(run: TableRun, *, replaced: bool = False) -> list[pl.LazyFrame]:
    """The published rows that stay whatever is kept of a batch; with merge keys, those that may.

    `replaced` says that the batch takes the place of the table, or of its partition of it, whatever the table's mode.
    """
    if not run.silver.exists:
        return []
    published = run.silver.scan()
    if not replaced and run.table.landed.silver.mode != "overwrite":
        return [published]
    return [] if run.partition is None else [published.filter(pl.col(PARTITION) != run.partition)]


def staying_beside(kept: pl.LazyFrame, run: TableRun) -> list[pl.LazyFrame]:
    """The published rows that stay beside the kept rows of a batch."""
    silver = run.table.landed.silver
    if silver.mode != "merge":
        return may_stay(run)
    keys = exact_names(silver.keys)
    pairs = [comparable(rows, kept.select(keys), silver.keys) for rows in may_stay(run)]
    return [rows.join(coming, on=keys, how="anti") for rows, coming in pairs]


def looked_up(run: TableRun, key: str, judged: Prepared, parents: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """The rows of a table that a rule looks into.

    Of the judged table itself those are the `parents`, where they are known: else the rows that come now, and may stay.
    """
    if key != run.table.key:
        return run.published(key)
    if parents is not None:
        return parents
    rows = judged.rows.select(exact_names(judged.columns))
    return pl.concat([rows, *may_stay(run)], how="diagonal_relaxed")
