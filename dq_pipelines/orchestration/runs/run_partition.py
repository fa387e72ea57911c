"""Reads from a run's tags which partitions of a table it processes.

A run of several tables may name a partition that only some of them have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.orchestration.partitions_definition import partitions_definition
from dq_pipelines.project import LandedTable, Table

#: Separates the ends of a range, as in Dagster's command line.
_TO = "..."


def has_partitions(table: Table) -> bool:
    """Whether the table is partitioned."""
    return isinstance(table.model, LandedTable) and table.model.partitions is not None


def partition_label(tags: Mapping[str, str]) -> str | None:
    """Returns the partition that a run's tags name, or `<first>...<last>` for a range; None where they name none."""
    start, end = _ends(tags)
    return start if start == end else f"{start}{_TO}{end}"


def range_ends(partition: str | None) -> Sequence[str]:
    """Splits a label: the first and last partition of `<first>...<last>`, one for a single partition, none for None."""
    return [] if partition is None else partition.split(_TO, 1)


def partition_tags(partition: str | None) -> dict[str, str]:
    """Returns the run tags for a partition or `<first>...<last>`: the inverse of `partition_label`."""
    match range_ends(partition):
        case [first, last]:
            return {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last}
        case [one]:
            return {PARTITION_NAME_TAG: one}
    return {}


def newest_partitions(table: Table, instance: dg.DynamicPartitionsStore, most: int) -> list[str]:
    """Returns the partitions of a table that Dagster knows, newest first, at most so many; none without partitions."""
    definition = partitions_definition(table)
    if definition is None:
        return []
    return list(definition.get_partition_keys(dynamic_partitions_store=instance)[-most:][::-1])


def partitions_of_run(
    table: Table, tags: Mapping[str, str], instance: dg.DynamicPartitionsStore
) -> Sequence[str | None]:
    """Returns the partitions of the table that a run with these tags processes, in order; [None] without partitions.

    Raises ConfigError where the table has partitions and the tags name none, or one that does not exist.
    """
    definition = partitions_definition(table)
    if definition is None:
        return [None]
    start, end = _ends(tags)
    if start is None or end is None:
        raise _refused(table, "wanted a partition (--partition KEY) or a range (--partition-range A...B), got none")
    keys = definition.get_partition_keys(dynamic_partitions_store=instance)
    for key in (start, end):
        if key not in keys:
            near = f" (wanted {keys[0]}...{keys[-1]})" if keys and table.is_daily else nearest(key, keys)
            raise _refused(table, f"got {partition_label(tags)}, and it has no partition '{key}'{near}")
    first, last = keys.index(start), keys.index(end)
    if last < first:
        raise _refused(table, f"got {partition_label(tags)}, which ends before it begins")
    return keys[first : last + 1]


def partitions_named(
    table: Table, tags: Mapping[str, str], instance: dg.DynamicPartitionsStore
) -> Sequence[str | None]:
    """Like `partitions_of_run`, without errors: a single partition even if it no longer exists, and [] for invalid tags."""
    start, end = _ends(tags)
    if has_partitions(table) and start is not None and start == end:
        return [start]
    try:
        return partitions_of_run(table, tags, instance)
    except ConfigError:
        return []


def _ends(tags: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Returns the first and the last partition that the tags name; twice the same for a single one."""
    single = tags.get(PARTITION_NAME_TAG)
    ends = tags.get(ASSET_PARTITION_RANGE_START_TAG), tags.get(ASSET_PARTITION_RANGE_END_TAG)
    return ends if single is None else (single, single)


def _refused(table: Table, problem: str) -> ConfigError:
    return ConfigError([Problem("", 0, f"{table.key} runs by partition: {problem}; nothing was landed")])
