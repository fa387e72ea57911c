"""Finds superseded refused rows: a later version of their input has landed, or a later snapshot is published.

A superseded row no longer counts. It cannot be corrected, replayed or dismissed, and a rerun leaves it out.
"""

from __future__ import annotations

import polars as pl

from dq_pipelines.lake.ledger import snapshots_in, transactions
from dq_pipelines.lake.tables import PARTITION, LakeTable
from dq_pipelines.pipeline.bronze.landed import BATCH, INGESTED_AT, Landings
from dq_pipelines.pipeline.quarantine.refused_rows import OPEN, STATUS, SUPERSEDED
from dq_pipelines.sources import SOURCE


def with_superseded(rows: pl.LazyFrame, landed: LakeTable, published: LakeTable) -> pl.LazyFrame:
    """Quarantine rows with the status `superseded` where they are open and superseded. `landed` is the table's bronze."""
    landings, snapshots = Landings.of(landed), snapshots_in(transactions(published))
    if not (landings.again or snapshots):
        return rows
    when = pl.col(INGESTED_AT).dt.epoch("us").alias("at")
    part = pl.col(PARTITION) if PARTITION in rows.collect_schema() else pl.lit(None, pl.String)
    waiting = rows.filter(pl.col(STATUS) == OPEN).select(BATCH, SOURCE, when, part.alias("part"))
    outdated = [
        {BATCH: batch, SOURCE: source}
        for batch, source, at, partition in waiting.drop_nulls([BATCH, SOURCE, "at"]).unique().collect().rows()
        if landings.is_outdated(source, batch, at, snapshots.get(partition, 0))
    ]
    if not outdated:
        return rows
    later = (pl.col(STATUS) == OPEN) & pl.struct(BATCH, SOURCE).is_in(outdated)
    return rows.with_columns(pl.when(later).then(pl.lit(SUPERSEDED)).otherwise(STATUS).alias(STATUS))
