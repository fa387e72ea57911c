"""Which kept rows of a batch are published: of each key the one that counts, unless one that was kept before counts more.

Which of two rows counts is in `precedence`, what was kept before in `key_versions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.pipeline.bronze.landed import bronze, first_landed
from dq_pipelines.pipeline.quarantine.provenance import TRACES, order_forgotten
from dq_pipelines.pipeline.runtime.table_run import Work
from dq_pipelines.pipeline.silver.key_versions import in_rank, overtaken
from dq_pipelines.pipeline.silver.precedence import ARRIVAL, latest_of_keys, unbeaten
from dq_pipelines.project import Silver
from dq_pipelines.rules.core.auxiliary_queries import Repeats
from dq_pipelines.rules.core.on_rows import RowRule


@dataclass
class Replacing:
    """How the rows of one batch stand to one another and to what was kept before."""

    work: Work
    #: whether bronze batches are among them that have waited
    waited: bool
    #: the addresses of inputs that land now, and had landed before
    again: Sequence[str] = ()
    #: whether the batch is a part of a rerun, which looks at all batches together
    anew: bool = False
    #: `landed.first_landed`, where it was asked for already
    known: Mapping[str, int] | None = None
    #: whether it was said that steps forget what tells the order: rows may be judged, and written, more than once
    _said: bool = field(default=False, init=False)

    @property
    def silver(self) -> Silver:
        return self.work.table.landed.silver

    def rows(self, kept: pl.LazyFrame) -> pl.LazyFrame:
        """Of kept rows those that are published."""
        latest = kept if self.keys_are_judged else latest_of_keys(kept, self.silver, self.first)
        return latest if self.anew else self._not_overtaken(unbeaten(latest, self.silver, self.work.silver))

    def arrival(self, kept: pl.LazyFrame) -> list[str]:
        """The columns that tell when a row came, which a rerun must know of rows that are merged."""
        if not self.anew or self.silver.mode != "merge":
            return []
        there = kept.collect_schema()
        return [name for name in ARRIVAL if name in there]

    @cached_property
    def first(self) -> Mapping[str, int]:
        """When the inputs of the batch landed first that have landed before; empty where there are none."""
        if self.known is not None or self.silver.mode != "merge":
            return self.known or {}
        landed = bronze(self.work.table, self.work.lake)
        return first_landed(landed, self.again) if self.again or self.waited else {}

    @cached_property
    def keys_are_judged(self) -> bool:
        """Whether a rule refuses rows whose merge keys repeat."""
        asides = [rule.auxiliary_query() for rule in self.silver.rules if isinstance(rule, RowRule) and rule.refuses]
        wanted = set(self.silver.keys)
        return any(
            isinstance(aside, Repeats) and set(aside.columns) == wanted and not aside.row_condition for aside in asides
        )

    def _not_overtaken(self, kept: pl.LazyFrame) -> pl.LazyFrame:
        """Without rows whose keys have come later: from other files than one that has landed again, or in other partitions."""
        waited = self.silver.mode == "merge" and self.waited and self.work.partition is not None
        if not (self.first or waited):
            return kept
        if said := order_forgotten(self.work.table.key, kept.collect_schema(), TRACES):
            if not self._said:
                self.work.log(said)
            self._said = True
            return kept
        beaten = overtaken(self.silver, kept, self._before, self.first, *self.silver.keys)
        return kept.join(beaten, on=exact_names(self.silver.keys), how="anti", maintain_order="left")

    @cached_property
    def _before(self) -> pl.LazyFrame:
        """What was kept before, asked once: rows may be judged, and written, more than once."""
        return in_rank(self.work, self.first)
