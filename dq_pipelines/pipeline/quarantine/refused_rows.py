"""Quarantine: refused rows, whole, with their reasons, where they came from and a status.

Every cell is text, the raw text where a cast failed, so that no row is ever too broken to be kept and
a person can read and mend all of them alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.engine.results.reasons import REASON, REASONS, reason, text_of
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.pipeline.bronze.batch import UNREADABLE, WHY
from dq_pipelines.pipeline.bronze.landed import BATCH, INGESTED_AT
from dq_pipelines.pipeline.bronze.unstorable_values import CAST_WHY
from dq_pipelines.sources import ROW, SOURCE
from dq_pipelines.transforms.cast import FAILED, RAW

ID, STATUS = "_id", "_status"
#: When a person or a replay gave the row its status, who did, the replay that published it, and what was mended in it:
#: a JSON mapping of landed columns to texts.
STATUS_AT, STATUS_BY, INTO, CORRECTION = "_status_at", "_status_by", "_into", "_correction"

#: What may become of a refused row: mended and published, published as it is under today's rules, or given up.
OPEN, FIXED, REPLAYED, DISMISSED = "open", "fixed", "replayed", "dismissed"
#: Of an open row of whose input a later version counts (`superseded`). It is never stored: what has landed since decides.
SUPERSEDED = "superseded"
STATUSES = (OPEN, FIXED, REPLAYED, DISMISSED, SUPERSEDED)

#: A refused row's place among all landed rows.
PLACE = (BATCH, SOURCE, ROW)

_FATE: dict[str, pl.DataType] = {
    STATUS_AT: pl.Datetime("us", "UTC"),
    STATUS_BY: pl.String(),
    INTO: pl.String(),
    CORRECTION: pl.String(),
}

_PROVENANCE: dict[str, pl.DataType] = {
    SOURCE: pl.String(),
    ROW: pl.Int64(),
    BATCH: pl.String(),
    INGESTED_AT: pl.Datetime("us", "UTC"),
}

#: What quarantine adds to silver's columns, in order.
QUARANTINE_COLUMNS: dict[str, pl.DataType] = {
    REASONS: pl.List(REASON),
    **_PROVENANCE,
    ID: pl.String(),
    STATUS: pl.String(),
    **_FATE,
}


def cells_in(names: Iterable[str]) -> list[str]:
    """Of a quarantine's columns, silver's."""
    return [name for name in names if name not in QUARANTINE_COLUMNS and name != PARTITION]


def unreadable_rows(bronze_rows: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """The bronze rows that are lines nobody could read, as quarantine rows."""
    lines = bronze_rows.filter(pl.col(UNREADABLE).is_not_null())
    unread = reason("unreadable", None, pl.col(UNREADABLE))
    cast = pl.struct(
        pl.lit("cast").alias("rule"),
        pl.col(WHY).str.extract(CAST_WHY, 1).alias("column"),
        pl.col(WHY).str.extract(CAST_WHY, 2).alias("value"),
    )
    given = pl.when(pl.col(WHY).str.contains(CAST_WHY)).then(cast).otherwise(unread)
    why = pl.concat_list(given).cast(pl.List(REASON))
    return _shaped(lines.select(*_PROVENANCE, why.alias(REASONS)), columns)


def miscast_by_column(quarantined: pl.LazyFrame) -> dict[str, int]:
    """How many of these rows are refused because a value did not fit its type, by column.

    Asked of the rows themselves, since a step may have had them split off before any rule saw them.
    """
    reasons = quarantined.select(pl.col(REASONS).explode(empty_as_null=False, keep_nulls=False).struct.unnest())
    counts = reasons.filter(pl.col("rule") == "cast").group_by("column").len().sort("column").collect()
    return dict(counts.rows())


def refused_rows(refused: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """Rows with `_reasons`, as quarantine rows of a table with these columns."""
    return _shaped(refused, columns)


def _shaped(rows: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """Exactly quarantine's columns: silver's as text, the reasons, provenance, id and status."""
    there = rows.collect_schema()
    cells = [_cell(name, there).alias(name) for name in columns]
    provenance = [
        (pl.col(name) if name in there else pl.lit(None)).cast(dtype).alias(name) for name, dtype in _PROVENANCE.items()
    ]
    fate = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in _FATE.items()]
    return rows.select(*cells, pl.col(REASONS).cast(pl.List(REASON)), *provenance).with_columns(
        identity().alias(ID), pl.lit(OPEN).alias(STATUS), *fate
    )


def identity() -> pl.Expr:
    """The id of a landed row: stable, since bronze is only added to; null where a step forgot where the row came from."""
    return pl.concat_str([pl.col(BATCH), pl.col(SOURCE), pl.col(ROW).cast(pl.String)], separator=":")


def _cell(name: str, there: Mapping[str, pl.DataType]) -> pl.Expr:
    if name not in there:
        return pl.lit(None, dtype=pl.String)
    value, failed, raw = text_of(there[name], pl.col(exact(name))), f"{FAILED}{name}", f"{RAW}{name}"
    if failed not in there:
        return value
    return pl.when(pl.col(failed)).then(text_of(there[raw], pl.col(raw))).otherwise(value)
