"""Which partitions of a table a run is about, by the run's tags: they may name some that only other tables of the run have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.layers.partitions_definition import partitions_definition
from dq_pipelines.project import LandedTable, Table


def has_partitions(table: Table) -> bool:
    """Whether the table's runs are about partitions."""
    return isinstance(table.model, LandedTable) and table.model.partitions is not None


def said_partition(tags: Mapping[str, str]) -> str | None:
    """The partition that a run's tags name, or `<first>...<last>` for a range; None where they name none."""
    start, end = tags.get(ASSET_PARTITION_RANGE_START_TAG), tags.get(ASSET_PARTITION_RANGE_END_TAG)
    whole = start if start == end else f"{start}...{end}"
    return tags.get(PARTITION_NAME_TAG, whole)


def partitions_of_run(
    table: Table, tags: Mapping[str, str], instance: dg.DynamicPartitionsStore
) -> Sequence[str | None]:
    """The partitions of the table that a run with these tags is about, in their order; None alone where the table has none.

    Raises ConfigError where the table has partitions, and the tags name none, or a range that is not of them.
    """
    definition = partitions_definition(table)
    if definition is None:
        return [None]
    start, end = tags.get(ASSET_PARTITION_RANGE_START_TAG), tags.get(ASSET_PARTITION_RANGE_END_TAG)
    if (named := tags.get(PARTITION_NAME_TAG, start if start == end else None)) is not None:
        return [named]
    if start is None or end is None:
        raise _refused(table, "wanted a partition (--partition KEY) or a range (--partition-range A...B), got none")
    keys = definition.get_partition_keys(dynamic_partitions_store=instance)
    for key in (start, end):
        if key not in keys:
            near = f" (wanted {keys[0]}...{keys[-1]})" if keys and table.is_daily else nearest(key, keys)
            raise _refused(table, f"got the range {start}...{end}, and it has no partition '{key}'{near}")
    first, last = keys.index(start), keys.index(end)
    if last < first:
        raise _refused(table, f"got the range {start}...{end}, which ends before it begins")
    return keys[first : last + 1]


def may_be_about(table: Table, tags: Mapping[str, str], instance: dg.DynamicPartitionsStore) -> Sequence[str | None]:
    """The same of a run that need not be sound: nothing where it will be refused."""
    try:
        return partitions_of_run(table, tags, instance)
    except ConfigError:
        return []


def _refused(table: Table, said: str) -> ConfigError:
    return ConfigError([Problem("", 0, f"{table.key} runs by partition: {said}; nothing was landed")])
