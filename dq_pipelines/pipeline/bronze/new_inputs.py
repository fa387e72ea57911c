"""Which inputs of a source are new: compared with what bronze's ledger has of them. How they become a batch belongs in `batch`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.skipped_inputs import Aside, asides
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.bronze.input_content import content_of, settle, size_fits
from dq_pipelines.pipeline.bronze.input_identity import Consumed, Noted
from dq_pipelines.pipeline.bronze.input_partitions import partition_of
from dq_pipelines.pipeline.bronze.landed import bronze
from dq_pipelines.project import Table
from dq_pipelines.sources import Input, Source
from dq_pipelines.sources.order import by_arrival


@dataclass(frozen=True)
class Comparison:
    """What a table's source holds, compared with bronze's ledger."""

    #: what bronze has not consumed, from the oldest to the newest
    new: Sequence[Input]
    #: what it has consumed, with times that the ledger does not have
    retimed: Sequence[Input]


def listed(table: Table, partition: str | None = None) -> list[Input]:
    """What the table's source holds, or what of it belongs to a partition; raises SourceError."""
    model = table.landed
    found = list(model.source.inputs())
    if partition is None or model.partitions is None:
        return found
    return [item for item in found if partition_of(item.uri, model.partitions) == partition]


def new_inputs(table: Table, lake: Lake, partition: str | None = None, *, aside_too: bool = False) -> Sequence[Input]:
    """What the table's source holds, bronze has not consumed and does not stand aside; raises SourceError as `compared` does."""
    return compared(table, lake, partition, aside_too=aside_too).new


def compared(table: Table, lake: Lake, partition: str | None = None, *, aside_too: bool = False) -> Comparison:
    """The inputs of a table, of which some are new and do not stand aside.

    An input is known by its address, its modification time and, where it is a local file, its change time, which
    nobody can set. Where a time is another than bronze noted, the content tells whether the input is. Where landing
    moves, addresses go with it. Raises SourceError when the place cannot be listed.
    """
    consumed = Consumed.of(transactions(bronze(table, lake)))
    found = [item for item in listed(table, partition) if not consumed.is_as_noted(item)]
    marks = {} if aside_too or not found else asides(lake, table.name)
    if marks:
        source = table.landed.source
        found = [i for i in found if i.uri not in marks or not stands(marks[i.uri], i, source)]
    known = {item: noted for item in found if (noted := consumed.noted(item)) is not None}
    moved = consumed.elsewhere([item for item in found if item not in known])
    settle([*known, *moved])
    same = {item: _is_same(item, noted) for item, noted in known.items()}
    same |= {item: any(has_moved(item, one, consumed) for one in before) for item, before in moved.items()}
    new = by_arrival(item for item in found if same.get(item, False) is False)
    return Comparison(new, [item for item in known if same[item]])


def _is_same(item: Input, noted: Noted) -> bool | None:
    """Whether an input is what was consumed; None for one that cannot be read, of which only the change time is another."""
    as_old = noted.modified == item.modified
    if item.changed and noted.content is not None and not size_fits(item, noted.content):
        return False
    if as_old and noted.changed in (None, item.changed):  # earlier releases noted no change time
        return True
    try:
        return noted.content == content_of(item, remember=True)
    except Transient:
        raise
    except SourceError:
        return None if as_old else False


def has_moved(item: Input, before: str, consumed: Consumed) -> bool:
    """Whether an input is the file that was consumed from another address."""
    noted = consumed.noted_at(before)
    if noted is None or noted.content is None or is_remote(before) or not size_fits(item, noted.content):
        return False
    return _is_same(item, noted) is not False


def taken(table: Table, inputs: Sequence[Input]) -> Sequence[Input]:
    """Of new inputs those that one run takes: the oldest, as many as `max_files` and `max_bytes` allow, but one at least."""
    model = table.landed
    if model.silver.mode == "overwrite":  # a snapshot is taken whole
        return inputs
    some = inputs[: model.max_files]
    if model.max_bytes is None:
        return some
    fit = sum(1 for total in accumulate(item.size for item in some) if total <= model.max_bytes)
    return some[: max(fit, 1)]


def version_of(item: Input, source: Source) -> str:
    """What changes when it may be of use to read an input again that could not be read.

    That is the input itself, whether this process may read it, and the options of its source.
    """
    allowed = is_remote(item.uri) or os.access(item.uri, os.R_OK, effective_ids=True)
    told = f"{item}\n{allowed}\n{source.model_dump_json()}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def stands(mark: Aside, item: Input, source: Source) -> bool:
    """Whether an input is still what was set aside; marks of earlier releases know no change time."""
    return mark.version == version_of(item, source) and mark.changed in (0, item.changed)
