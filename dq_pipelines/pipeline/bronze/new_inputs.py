"""Which inputs of a source are new: those of which bronze's ledger has no version, or another one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from dq_pipelines.lake.formats.snapshot import Snapshot
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.skipped_inputs import SkippedInput, read_skipped_inputs
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.bronze.input_identity import Consumed
from dq_pipelines.pipeline.bronze.input_partitions import partition_of
from dq_pipelines.pipeline.bronze.landed import bronze
from dq_pipelines.project import Table
from dq_pipelines.sources import Input, Source
from dq_pipelines.sources.order import by_arrival, natural


@dataclass(frozen=True)
class Comparison:
    """The inputs of a table's source, compared with bronze's ledger."""

    #: what bronze has not consumed, from the oldest to the newest
    new: Sequence[Input]
    #: what it has consumed, in a version with numbers that the ledger does not have
    retimed: Sequence[Input]


def listed(table: Table, partition: str | None = None) -> list[Input]:
    """The inputs of a table's source, or those of a partition; raises SourceError."""
    if partition is None or table.landed.partitions is None:
        return list(table.landed.source.inputs())
    return sorted(_unordered(table, partition), key=lambda item: natural(item.uri))


def _unordered(table: Table, partition: str | None) -> Sequence[Input]:
    """The same in any order: to order 100,000 inputs takes a second, and most of them are consumed."""
    source, partitions = table.landed.source, table.landed.partitions
    if partition is None or partitions is None:
        return source.inputs_where(lambda _: True)
    return source.inputs_where(lambda uri: partition_of(uri, partitions) == partition)


def new_inputs(table: Table, lake: Lake, partition: str | None = None, *, aside_too: bool = False) -> Sequence[Input]:
    """The inputs that bronze has not consumed, from the oldest to the newest; those that stand aside with `aside_too` alone.

    Raises SourceError when the place cannot be listed.
    """
    return compared(table, lake, partition, aside_too=aside_too).new


def compared(
    table: Table,
    lake: Lake,
    partition: str | None = None,
    *,
    aside_too: bool = False,
    landed: Snapshot | None = None,
) -> Comparison:
    """The inputs of a table that are new and do not stand aside, and those whose version alone is another.

    An input is known by its address and the numbers of its version. Where one of them is not as bronze's ledger has it, its
    source says whether the input is the same. Where landing moves, addresses go with it. Raises SourceError when the place
    cannot be listed.
    """
    source = table.landed.source
    consumed = Consumed.of(transactions(bronze(table, lake) if landed is None else landed))
    differing = [
        source.unconsumed(item, consumed.last_version(item))
        for item in _unordered(table, partition)
        if not consumed.is_as_noted(item)
    ]
    marks = {} if aside_too or not differing else read_skipped_inputs(lake, table.name)
    if marks:
        differing = [item for item in differing if item.uri not in marks or not stands(marks[item.uri], item, source)]
    last_versions = {item: before for item in differing if (before := consumed.last_version(item)) is not None}
    same = {item: source.is_same(item, before) for item, before in last_versions.items()}
    for item, addresses in consumed.elsewhere([item for item in differing if item not in last_versions]).items():
        same[item] = any(has_moved(source, item, address, consumed) for address in addresses)
    new = by_arrival(item for item in differing if same.get(item, False) is False)
    return Comparison(new, by_arrival(item for item in last_versions if same[item]))


def has_moved(source: Source, item: Input, address: str, consumed: Consumed) -> bool:
    """Whether an input is the one that was consumed from another address."""
    before = consumed.last_version_at(address)
    return before is not None and source.has_moved(item, before)


def taken(table: Table, inputs: Sequence[Input]) -> Sequence[Input]:
    """The new inputs that one run takes: the oldest, as many as `max_files` and `max_bytes` allow, but one at least."""
    model = table.landed
    if model.silver.mode == "overwrite":  # a snapshot is taken whole
        return inputs
    oldest = inputs[: model.max_files]
    if model.max_bytes is None:
        return oldest
    fit = sum(1 for total in accumulate(item.size for item in oldest) if total <= model.max_bytes)
    return oldest[: max(fit, 1)]


def retry_key(item: Input, source: Source) -> str:
    """A digest that changes when it may be of use to read an input again that could not be read.

    It is made of the input, the right of this process to read it, and the options of its source.
    """
    # As earlier releases wrote an input: their marks still stand.
    version = f"Input(uri={item.uri!r}, size={item.size!r}, modified={item.version.number!r})"
    text = f"{version}\n{source.may_read(item)}\n{source.model_dump_json()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stands(mark: SkippedInput, item: Input, source: Source) -> bool:
    """Whether an input is still what was set aside; marks of earlier releases know no change time."""
    return mark.version == retry_key(item, source) and mark.changed in (0, item.version.changed)
