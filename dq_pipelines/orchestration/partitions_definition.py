"""Dagster's partitions of a table and of its checks. Which partition an input belongs to is found in `input_partitions`."""

from __future__ import annotations

import warnings
from typing import Any

import dagster as dg

from dq_pipelines.project import DailyPartitions, DynamicPartitions, LandedTable, Table


def partitions_definition(table: Table) -> dg.PartitionsDefinition[str] | None:
    """Dagster's partitions of a table: one per file (dynamic) or one per day."""
    partitions = table.model.partitions if isinstance(table.model, LandedTable) else None
    match partitions:
        case DynamicPartitions():
            return dg.DynamicPartitionsDefinition(name=f"{table.name}_files")
        case DailyPartitions(start=start, timezone=zone):
            return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone=zone, end_offset=1)
    return None


def check_spec(table: Table, name: str, key: dg.AssetKey, **more: Any) -> dg.AssetCheckSpec:
    """A check of one of the table's assets: partitioned as the table is, so that each partition has its own result."""
    with warnings.catch_warnings():
        # Dagster 1.13 calls partitions of checks a preview; without them it plans a check of each partition for ever.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(name, asset=key, partitions_def=partitions_definition(table), **more)
