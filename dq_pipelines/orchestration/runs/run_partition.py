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
from dq_pipelines.orchestration.partitions_definition import partitions_definition
from dq_pipelines.project import LandedTable, Table

#: Between the ends of a range, as Dagster's command line has it.
_TO = "..."


def has_partitions(table: Table) -> bool:
    """Whether the table's runs are about partitions."""
    return isinstance(table.model, LandedTable) and table.model.partitions is not None


def said_partition(tags: Mapping[str, str]) -> str | None:
    """The partition that a run's tags name, or `<first>...<last>` for a range; None where they name none."""
    start, end = _ends(tags)
    return start if start == end else f"{start}{_TO}{end}"


def ends_of(partition: str | None) -> Sequence[str]:
    """The first and the last partition of `<first>...<last>`; one where it is one, none where there is none."""
    return [] if partition is None else partition.split(_TO, 1)


def tags_of(partition: str | None) -> dict[str, str]:
    """The tags of a run that is about this partition, or `<first>...<last>`: what `said_partition` reads."""
    match ends_of(partition):
        case [first, last]:
            return {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last}
        case [one]:
            return {PARTITION_NAME_TAG: one}
    return {}


def partitions_of_run(
    table: Table, tags: Mapping[str, str], instance: dg.DynamicPartitionsStore
) -> Sequence[str | None]:
    """The partitions of the table that a run with these tags is about, in their order; None alone where the table has none.

    Raises ConfigError where the table has partitions, and the tags name none, or some that are not of them.
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
            raise _refused(table, f"got {said_partition(tags)}, and it has no partition '{key}'{near}")
    first, last = keys.index(start), keys.index(end)
    if last < first:
        raise _refused(table, f"got {said_partition(tags)}, which ends before it begins")
    return keys[first : last + 1]


def may_be_about(table: Table, tags: Mapping[str, str], instance: dg.DynamicPartitionsStore) -> Sequence[str | None]:
    """The same of any run, sound or not: nothing where it will be refused, and the one that it names, be it gone by now."""
    start, end = _ends(tags)
    if has_partitions(table) and start is not None and start == end:
        return [start]
    try:
        return partitions_of_run(table, tags, instance)
    except ConfigError:
        return []


def _ends(tags: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The first and the last partition that the tags name: of one, the same."""
    named = tags.get(PARTITION_NAME_TAG)
    ranged = tags.get(ASSET_PARTITION_RANGE_START_TAG), tags.get(ASSET_PARTITION_RANGE_END_TAG)
    return ranged if named is None else (named, named)


def _refused(table: Table, said: str) -> ConfigError:
    return ConfigError([Problem("", 0, f"{table.key} runs by partition: {said}; nothing was landed")])
