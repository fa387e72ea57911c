"""Which of several rows with the same keys is published: the one that came last, or the one that `merge.order_by` says.

A row came when its input landed first. So a file that was mended long after takes the place of its own earlier version, and
of no rows that have come from other files meanwhile. By `order_by` the greatest value counts, whenever it came. A row
without a value loses to one with a value; of equal values the row that came last counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from dq_pipelines.config.columns import exact, exact_names
from dq_pipelines.errors import RuleError, nearest
from dq_pipelines.lake.tables import LakeTable
from dq_pipelines.pipeline.bronze.landed import INGESTED_AT
from dq_pipelines.project import Silver
from dq_pipelines.sources import ROW, SOURCE
from dq_pipelines.transforms.casting import typed
from dq_pipelines.transforms.types import dtype_of

#: The columns by which rows stand in the order in which they came.
ARRIVAL = (INGESTED_AT, SOURCE, ROW)
_PUBLISHED, _OWN = "\x00published", "\x00own"


def in_order(rows: pl.LazyFrame, first: Mapping[str, int]) -> pl.LazyFrame:
    """The rows in the order in which they came, as far as steps give that on; `first` is `landed.first_landed`."""
    columns = rows.collect_schema()
    arrival: list[Any] = [name for name in ARRIVAL if name in columns]
    if first and {SOURCE, INGESTED_AT} <= set(columns):
        arrival = [came(first), *arrival]
    return rows.sort(arrival, maintain_order=True) if arrival else rows


def came(first: Mapping[str, int]) -> pl.Expr:
    """When the input of a row landed first, in microseconds; by `_source` and `_ingested_at`."""
    at = pl.col(INGESTED_AT).dt.epoch("us")
    if not first:
        return at
    # Of a workbook in an archive: the sheet, the workbook, the archive.
    places = [pl.col(SOURCE), *(pl.col(SOURCE).str.replace(f"(#[^#]*){{{count}}}$", "") for count in (1, 2))]
    return pl.coalesce(*(place.replace_strict(first, default=None, return_dtype=pl.Int64) for place in places), at)


def latest_of_keys(kept: pl.LazyFrame, silver: Silver, first: Mapping[str, int] | None = None) -> pl.LazyFrame:
    """Of rows with the same merge keys, the one that counts; all rows where nothing is merged."""
    return kept if silver.mode != "merge" else last_of_keys(in_order(kept, first or {}), silver)


def last_of_keys(rows: pl.LazyFrame, silver: Silver) -> pl.LazyFrame:
    """The same, of rows that stand in the order in which they came. Raises RuleError for an unknown `merge.order_by`."""
    if silver.order_by is not None:
        columns = [name for name in rows.collect_schema() if not name.startswith("_") and "\0" not in name]
        if silver.order_by not in rows.collect_schema():
            near = nearest(silver.order_by, columns)
            raise RuleError(f"merge.order_by: no column '{silver.order_by}'{near}; there are: {', '.join(columns)}")
        rows = rows.sort(ordered(silver, rows.collect_schema()), nulls_last=False, maintain_order=True)
    return rows.unique(exact_names(silver.keys), keep="last", maintain_order=True)


def unbeaten(rows: pl.LazyFrame, silver: Silver, published: LakeTable) -> pl.LazyFrame:
    """The rows that may take the place of what is published of their keys; all rows where the last one counts."""
    if silver.order_by is None or silver.mode != "merge" or not published.exists:
        return rows
    table_rows = published.scan()
    if not {silver.order_by, *silver.keys} <= set(table_rows.collect_schema()):
        return rows
    # By the types of today, whatever is published: text where there was a number, say.
    types, before = rows.collect_schema(), table_rows.collect_schema()
    theirs = table_rows.select(
        *(pl.col(exact(name)).cast(types[name], strict=False) for name in silver.keys),
        ordered(silver, before).alias(_PUBLISHED),
    )
    own = ordered(silver, types).alias(_OWN)
    joined = rows.with_columns(own).join(theirs, on=exact_names(silver.keys), how="left", maintain_order="left")
    compared = joined.collect_schema()
    if compared[_PUBLISHED] != compared[_OWN]:
        joined = joined.with_columns(pl.col(_PUBLISHED).cast(compared[_OWN], strict=False))
    return joined.filter(~is_greater(pl.col(_PUBLISHED), pl.col(_OWN))).drop(_PUBLISHED, _OWN)


def ordered(silver: Silver, types: Mapping[str, pl.DataType]) -> pl.Expr:
    """What `merge.order_by` compares: the column by the type that YAML gives it, also where the table has text."""
    name = str(silver.order_by)
    declared = silver.columns.get(name)
    if declared is None or types[name] != pl.String:
        return pl.col(exact(name))
    return typed(pl.col(exact(name)), types[name], dtype_of(declared.type))


def is_greater(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    """Whether a value counts more than another: greater, or there at all."""
    return (one.is_not_null() & other.is_null()) | (one > other).fill_null(False)


__all__ = ["ARRIVAL", "came", "in_order", "is_greater", "last_of_keys", "latest_of_keys", "ordered", "unbeaten"]
