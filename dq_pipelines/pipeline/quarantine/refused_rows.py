"""Defines the rows of quarantine: refused rows with all cells, their reasons, provenance and status.

Every cell is text; where a cast failed, it is the raw text. So every row can be stored, and a person can read and correct
all of them in the same way.
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
#: When a person or a replay set the status, who did, the replay that published the row, and its correction: a JSON
#: mapping of landed columns to texts.
STATUS_AT, STATUS_BY, INTO, CORRECTION = "_status_at", "_status_by", "_into", "_correction"
#: Why a person gave the row its status.
STATUS_NOTE = "_status_note"

#: Statuses of a refused row: open, corrected and published, published unchanged under today's rules, or dismissed.
OPEN, FIXED, REPLAYED, DISMISSED = "open", "fixed", "replayed", "dismissed"
#: Status of an open row whose input has a later version (`superseded`). Never stored: later landings decide it.
SUPERSEDED = "superseded"
STATUSES = (OPEN, FIXED, REPLAYED, DISMISSED, SUPERSEDED)

#: The columns that identify a landed row.
PLACE = (BATCH, SOURCE, ROW)

_FATE: dict[str, pl.DataType] = {
    STATUS_AT: pl.Datetime("us", "UTC"),
    STATUS_BY: pl.String(),
    INTO: pl.String(),
    CORRECTION: pl.String(),
    STATUS_NOTE: pl.String(),
}

_PROVENANCE: dict[str, pl.DataType] = {
    SOURCE: pl.String(),
    ROW: pl.Int64(),
    BATCH: pl.String(),
    INGESTED_AT: pl.Datetime("us", "UTC"),
}

#: The columns that quarantine adds to silver's, in order.
QUARANTINE_COLUMNS: dict[str, pl.DataType] = {
    REASONS: pl.List(REASON),
    **_PROVENANCE,
    ID: pl.String(),
    STATUS: pl.String(),
    **_FATE,
}


def cells_in(names: Iterable[str]) -> list[str]:
    """The columns of a quarantine that are silver's."""
    return [name for name in names if name not in QUARANTINE_COLUMNS and name != PARTITION]


def unreadable_rows(bronze_rows: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """The unreadable lines of bronze as quarantine rows."""
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
    """The number of rows refused because a value did not fit its type, by column.

    Counted from the rows themselves, since a step may have split them off before the rules.
    """
    reasons = quarantined.select(pl.col(REASONS).explode(empty_as_null=False, keep_nulls=False).struct.unnest())
    counts = reasons.filter(pl.col("rule") == "cast").group_by("column").len().sort("column").collect()
    return dict(counts.rows())


def refused_rows(refused: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """Rows with `_reasons`, as quarantine rows of a table with these columns."""
    return _shaped(refused, columns)


def _shaped(rows: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """Exactly quarantine's columns: silver's as text, the reasons, provenance, id and status."""
    schema = rows.collect_schema()
    cells = [_cell(name, schema).alias(name) for name in columns]
    provenance = [
        (pl.col(name) if name in schema else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in _PROVENANCE.items()
    ]
    fate = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in _FATE.items()]
    return rows.select(*cells, pl.col(REASONS).cast(pl.List(REASON)), *provenance).with_columns(
        identity().alias(ID), pl.lit(OPEN).alias(STATUS), *fate
    )


def identity() -> pl.Expr:
    """The id of a landed row: stable, since bronze is append-only; null where a step drops the row's origin."""
    return pl.concat_str([pl.col(BATCH), pl.col(SOURCE), pl.col(ROW).cast(pl.String)], separator=":")


def _cell(name: str, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    if name not in schema:
        return pl.lit(None, dtype=pl.String)
    value, failed, raw = text_of(schema[name], pl.col(exact(name))), f"{FAILED}{name}", f"{RAW}{name}"
    if failed not in schema:
        return value
    return pl.when(pl.col(failed)).then(text_of(schema[raw], pl.col(raw))).otherwise(value)
