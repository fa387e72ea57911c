"""Builds Delta's add and remove actions for files, with statistics from the Parquet footers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
from deltalake import Field, Schema
from deltalake.schema import PrimitiveType
from deltalake.transaction import AddAction, RemoveAction
from pyarrow import fs
from pyarrow import parquet as pq

from dq_pipelines.config.stores import filesystem
from dq_pipelines.lake.durable import sync_files
from dq_pipelines.lake.formats.commit import Staged
from dq_pipelines.lake.formats.snapshot import PARTITION, DataFile, Place

#: Longer texts are left out of the row statistics: they would bloat the log and prune little.
_LONGEST_BOUND = 64


def schema_of(staged: Staged) -> Schema:
    """The Delta schema of staged rows, with the partition column."""
    fields = Schema.from_arrow(pl.DataFrame(schema=staged.schema).to_arrow().schema).fields
    return Schema([*fields, Field(PARTITION, PrimitiveType("string"))] if staged.partition is not None else fields)


def adds_of(place: Place, parts: Iterable[Staged], *, data_change: bool = True) -> list[AddAction]:
    """The add actions for staged rows, after syncing their files to the disk."""
    parts = list(parts)
    sync_files(place.uri, [file.path for part in parts for file in part.files if file.rows])
    files, root = filesystem(place.uri)
    now = int(time.time() * 1000)
    return [
        AddAction(
            file.path,
            file.size,
            {} if part.partition is None else {PARTITION: part.partition},
            now,
            data_change,
            _statistics(files, f"{root}/{file.path}", file.rows),
        )
        for part in parts
        for file in part.files
        if file.rows
    ]


def removes_of(gone: Iterable[DataFile], *, data_change: bool = True) -> list[RemoveAction]:
    """The remove actions for files that leave the table."""
    now = int(time.time() * 1000)
    return [
        RemoveAction(
            file.path,
            data_change,
            now,
            size=file.size,
            partition_values={} if file.partition is None else {PARTITION: file.partition},
        )
        for file in gone
    ]


def _statistics(files: fs.FileSystem, path: str, rows: int) -> str:
    """Delta's per-file statistics as JSON: numRecords, minValues, maxValues, nullCount."""
    with files.open_input_file(path) as stream:
        metadata = pq.read_metadata(stream)
    bounds: dict[str, dict[str, Any]] = {"minValues": {}, "maxValues": {}, "nullCount": {}}
    for index in range(metadata.num_columns):
        column = metadata.schema.column(index)
        name = column.path
        if "." in name:  # nested columns have no use for bounds here
            continue
        groups = [metadata.row_group(group).column(index).statistics for group in range(metadata.num_row_groups)]
        if any(group is None for group in groups):
            continue
        if all(group.has_null_count for group in groups):
            bounds["nullCount"][name] = sum(group.null_count for group in groups)
        low, high = _least_and_most(groups) if _may_be_bounded(column) else (None, None)
        if low is not None and high is not None:
            bounds["minValues"][name], bounds["maxValues"][name] = low, high
    return json.dumps({"numRecords": rows, **bounds})


def _may_be_bounded(column: pq.ColumnSchema) -> bool:
    """Whether `_bound` may take a bound of this column. For a moment, pyarrow imports pandas to say it."""
    return column.logical_type.type not in ("TIMESTAMP", "DECIMAL") and column.physical_type not in (
        "FLOAT",
        "DOUBLE",
        "INT96",
    )


def _least_and_most(groups: Sequence[pq.Statistics]) -> tuple[Any, Any]:
    """The bounds of a column over its row groups; None where they are unknown, or JSON cannot hold them."""
    bounded = [group for group in groups if group.has_min_max]
    if not bounded or len(bounded) < len([group for group in groups if group.num_values]):
        return None, None
    try:
        return _bound(min(group.min for group in bounded)), _bound(max(group.max for group in bounded))
    except (ValueError, OverflowError, TypeError, NotImplementedError, pa.ArrowException):
        # Python has no year 0 and no year 10000: without bounds a file is read that could have been skipped.
        return None, None


def _bound(value: Any) -> Any:
    """A bound as Delta's JSON stores it; None where it is too long or not exact."""
    match value:
        case bool() | int():
            return value
        case str():
            return value if len(value) <= _LONGEST_BOUND else None
        case datetime() | Decimal() | float():
            # Delta cuts moments to milliseconds and floats have NaN: a bound that is not exact prunes wrongly.
            return None
        case date():
            return value.isoformat()
    return None
