"""Statistics of columns in the footers of Parquet files: rules that they answer cost no scan.

Only what every writer means alike is taken: null counts, and bounds of integers, decimals, dates and datetimes. Bounds of
text may be cut short, and those of floats pass over NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import polars as pl

from dq_pipelines.rules.core.column_statistics import ColumnStatistics

#: Bytes of a Parquet file from which its footer is asked first. To import what reads it takes 0.12 s; to count the nulls
#: of 6 million rows of 16 columns, 230 MB, takes no longer.
WORTH_ASKING = 1 << 30


def statistics_of_file(path: Any, schema: Mapping[str, pl.DataType]) -> dict[str, ColumnStatistics]:
    """The statistics of the columns of the Parquet file at `path`, by their names.

    None for other files and for a file of fewer bytes than `WORTH_ASKING`.
    """
    place = Path(path) if isinstance(path, str | Path) else None
    if place is None or place.suffix.lower() != ".parquet" or not place.is_file():
        return {}
    if place.stat().st_size < WORTH_ASKING:
        return {}
    import pyarrow.parquet as pq

    footer = pq.read_metadata(place)
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    parts: dict[str, list[ColumnStatistics]] = {}
    for group in groups:
        for number in range(group.num_columns):
            column = group.column(number)
            parts.setdefault(column.path_in_schema, []).append(_of_chunk(column.statistics))
    whole = {name: chunks for name, chunks in parts.items() if len(chunks) == len(groups)}
    return _typed(
        whole, schema, lambda dtype: dtype.is_integer() or dtype.is_decimal() or dtype in (pl.Date, pl.Datetime)
    )


def _of_chunk(statistics: Any) -> ColumnStatistics:
    if statistics is None:
        return ColumnStatistics()
    missing = statistics.null_count if statistics.has_null_count else None
    bounds = (statistics.min, statistics.max) if statistics.has_min_max else (None, None)
    return ColumnStatistics(missing, *bounds)


def _typed(
    parts: Mapping[str, list[ColumnStatistics]],
    schema: Mapping[str, pl.DataType],
    bounded: Callable[[pl.DataType], bool],
) -> dict[str, ColumnStatistics]:
    """The statistics of each column over all its parts, as far as they are exact for its type."""
    typed = {}
    for name, dtype in schema.items():
        if not parts.get(name) or dtype.is_float() or dtype.is_nested():
            continue
        whole = reduce(add, parts[name])
        typed[name] = whole if bounded(dtype) else ColumnStatistics(whole.missing)
    return typed
