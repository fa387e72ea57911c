"""Which partition of a table a run is about, by the run's tags: they may name one that only other tables of the run have."""

from __future__ import annotations

from collections.abc import Mapping

from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.project import LandedTable, Table


def has_partitions(table: Table) -> bool:
    """Whether the table's runs are about one partition each."""
    return isinstance(table.model, LandedTable) and table.model.partitions is not None


def run_partition(table: Table, tags: Mapping[str, str]) -> str | None:
    """The partition of this table that a run with these tags is about; None where the table has none, or the run names none."""
    if not has_partitions(table):
        return None
    start, end = tags.get(ASSET_PARTITION_RANGE_START_TAG), tags.get(ASSET_PARTITION_RANGE_END_TAG)
    return tags.get(PARTITION_NAME_TAG, start if start == end else None)


def must_name_its_partition(table: Table, tags: Mapping[str, str]) -> None:
    """Raise ConfigError where a run of a partitioned table names no partition, or a range of them."""
    if not has_partitions(table) or run_partition(table, tags) is not None:
        return
    said = f"{table.key} runs one partition at a time: wanted a partition"
    if (start := tags.get(ASSET_PARTITION_RANGE_START_TAG)) is not None:
        end = tags.get(ASSET_PARTITION_RANGE_END_TAG)
        raise ConfigError(
            [Problem("", 0, f"{said}, got the range {start} to {end}: launch a backfill with a run for each partition")]
        )
    raise ConfigError([Problem("", 0, f"{said} (--partition KEY), got none; nothing was landed")])
