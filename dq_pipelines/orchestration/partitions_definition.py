"""Defines the Dagster partitions of a table and of its checks.

`pipeline.bronze.input_partitions` finds the partition of an input.
"""

from __future__ import annotations

import warnings
from typing import Any

import dagster as dg

from dq_pipelines.project import DailyPartitions, DynamicPartitions, LandedTable, Table


def partitions_definition(table: Table) -> dg.PartitionsDefinition[str] | None:
    """Returns the partitions of a table: one per file (dynamic) or one per day; None without partitions."""
    partitions = table.model.partitions if isinstance(table.model, LandedTable) else None
    match partitions:
        case DynamicPartitions():
            return dg.DynamicPartitionsDefinition(name=f"{table.name}_files")
        case DailyPartitions(start=start, timezone=zone):
            return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone=zone, end_offset=1)
    return None


def check_spec(table: Table, name: str, key: dg.AssetKey, **more: Any) -> dg.AssetCheckSpec:
    """Returns a check spec of one of the table's assets. It has the table's partitions: one result per partition."""
    partitions = partitions_definition(table)
    if partitions is None:
        return dg.AssetCheckSpec(name, asset=key, **more)
    with warnings.catch_warnings():
        # Dagster 1.13 marks partitioned checks as a preview. Without them, a planned check of a partition stays planned.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(name, asset=key, partitions_def=partitions, **more)
