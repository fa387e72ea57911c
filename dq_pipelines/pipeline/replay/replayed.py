"""What became of refused rows that were judged again, for people and for history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from dq_pipelines.history.store.records import VerdictRecord
from dq_pipelines.pipeline.quarantine.refused_rows import ID
from dq_pipelines.pipeline.runtime.outcome import Counts


@dataclass(frozen=True)
class Replayed:
    """What became of the rows that were judged again."""

    #: the id of the replay, `p-…`; of the last one, where each partition has its own
    batch: str
    #: rows that were judged
    counts: Counts = field(default_factory=Counts)
    #: ids of rows that are published now, or would be
    published: tuple[str, ...] = ()
    #: rows that are refused still: `_id`, `_source`, `_row`, `_reasons`
    failing: pl.DataFrame = field(default_factory=pl.DataFrame)
    #: ids of rows that a step or a rule of today drops, or that a later row of the same keys has replaced
    left_out: tuple[str, ...] = ()
    #: what history is to remember of it, a verdict without results for each partition
    records: tuple[VerdictRecord, ...] = ()
    #: open rows that nobody can tell the landed row of, since a step forgot it
    untraced: int = 0

    def sentence(self, *, dry_run: bool) -> str:
        """What became of the rows, or would."""
        would = "would be " if dry_run else ""
        left = f", {len(self.left_out):,} {would}left out by a step, a rule or a later row" if self.left_out else ""
        return f"{len(self.published):,} {would}published, {self.failing.height:,} refused still{left}"


def together(parts: Sequence[Replayed]) -> Replayed:
    """The parts of a replay as one; of no parts, that nothing waited."""
    if not parts:
        return Replayed("", failing=pl.DataFrame(schema={ID: pl.String}))
    return Replayed(
        parts[-1].batch,
        sum((part.counts for part in parts[1:]), start=parts[0].counts),
        tuple(name for part in parts for name in part.published),
        pl.concat([part.failing for part in parts]),
        tuple(name for part in parts for name in part.left_out),
        tuple(record for part in parts for record in part.records),
    )
