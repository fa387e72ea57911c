"""Inputs that no run reads: files of no partition, and what a source's address names that is no file."""

from __future__ import annotations

from collections.abc import Sequence

from dq_pipelines.config.counting import counted
from dq_pipelines.errors import SourceError
from dq_pipelines.lake.ledger import transactions
from dq_pipelines.lake.tables import Lake
from dq_pipelines.pipeline.bronze.input_identity import Consumed
from dq_pipelines.pipeline.bronze.input_partitions import partition_of, why_unassigned
from dq_pipelines.pipeline.bronze.landed import bronze
from dq_pipelines.project import DailyPartitions, Table
from dq_pipelines.sources import Listed, PassedOver

#: The check that every bronze table has without being asked.
INPUTS_UNASSIGNED = "inputs_unassigned"

#: In place of an input: a source that cannot be listed.
_SOURCE = "the source"

#: Paths in one line; the check's table has more.
_MOST_NAMED = 3


def unassigned(table: Table, lake: Lake, members: Sequence[PassedOver] = ()) -> list[PassedOver]:
    """What no run reads of the table's source, by address; `members` are those of archives that are no data.

    A source that cannot be listed is named itself. Raises PublishError where the lake is away.
    """
    return _unassigned(table, lake, _listed(table), members)


def what_no_run_reads(table: Table, lake: Lake) -> str:
    """The sentence for what of the source is unassigned, else for a source with nothing in it; empty where there is neither.

    The source is listed once. Raises PublishError as `unassigned` does.
    """
    listed = _listed(table)
    return sentence(_unassigned(table, lake, listed, ())) or _nothing(table, listed)


def _listed(table: Table) -> Listed | SourceError:
    try:
        return table.landed.source.listed()
    except SourceError as error:
        return error


def _unassigned(
    table: Table, lake: Lake, listed: Listed | SourceError, members: Sequence[PassedOver]
) -> list[PassedOver]:
    passed_over, partitions = [*members], table.landed.partitions
    if isinstance(listed, SourceError):
        return [*passed_over, PassedOver(_SOURCE, str(listed))]
    passed_over += listed.passed_over
    if isinstance(partitions, DailyPartitions):
        outside = [item for item in listed.inputs if partition_of(item.uri, partitions) is None]
        # What has landed before `start` was moved is in bronze.
        consumed = Consumed.of(transactions(bronze(table, lake)) if outside else {})
        passed_over += [
            PassedOver(item.uri, why_unassigned(item.uri, partitions))
            for item in outside
            if consumed.number(item) != item.version.number
        ]
    return sorted(passed_over, key=lambda one: one.uri)


def nothing_there(table: Table) -> str:
    """The sentence for a source at whose address there is no input at all; empty for any other, or one that cannot be listed."""
    return _nothing(table, _listed(table))


def _nothing(table: Table, listed: Listed | SourceError) -> str:
    if isinstance(listed, SourceError):  # it is unassigned
        return ""
    return "" if listed.inputs else table.landed.source.nothing_found()


def sentence(passed_over: Sequence[PassedOver]) -> str:
    """Why the source cannot be listed; how many inputs no run reads, and the first ones with the reason; else empty."""
    inputs = [one for one in passed_over if one.uri != _SOURCE]
    sentences = [f"the source cannot be listed: {one.why}" for one in passed_over if one.uri == _SOURCE]
    if inputs:
        more = f"; and {len(inputs) - _MOST_NAMED:,} more" if len(inputs) > _MOST_NAMED else ""
        which = "; ".join(f"{one.uri}: {one.why}" for one in inputs[:_MOST_NAMED])
        sentences.append(f"{counted(len(inputs), 'input', 'is', 'are')} read by no run: {which}{more}")
    return "; ".join(sentences)
