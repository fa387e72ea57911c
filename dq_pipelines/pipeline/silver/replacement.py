"""Which kept rows of a batch are published: of each key the one that counts, unless one that was kept before counts more.

Which of two rows counts is in `precedence`, what was kept before in `key_versions`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.pipeline.bronze.landed import bronze, first_landed
from dq_pipelines.pipeline.quarantine.provenance import PROVENANCE_COLUMNS, missing_order
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.pipeline.silver.key_versions import in_rank, overtaken
from dq_pipelines.pipeline.silver.precedence import ARRIVAL, latest_of_keys, unbeaten
from dq_pipelines.project import Silver
from dq_pipelines.rules.core.auxiliary_queries import Repeats
from dq_pipelines.rules.core.on_rows import RowRule


@dataclass(frozen=True)
class Replacing:
    """How the rows of one batch stand to one another and to what was kept before; what the lake says of that is read once."""

    run: TableRun
    #: whether bronze batches are among them that have waited
    waited: bool
    #: the addresses of inputs that land now, and had landed before
    again: Sequence[str] = ()
    #: whether the batch is a part of a rerun, which looks at all batches together
    is_part_of_rerun: bool = False
    #: `landed.first_landed`, where it was asked for already
    first_landed: Mapping[str, int] | None = None

    @property
    def silver(self) -> Silver:
        return self.run.table.landed.silver

    def rows(self, kept: pl.LazyFrame) -> pl.LazyFrame:
        """Of kept rows those that are published."""
        latest = kept if self.keys_are_judged else latest_of_keys(kept, self.silver, self.first)
        return latest if self.is_part_of_rerun else self._not_overtaken(unbeaten(latest, self.silver, self.run.silver))

    def arrival(self, kept: pl.LazyFrame) -> list[str]:
        """The columns that say when a row came, which a rerun must know of rows that are merged."""
        if not self.is_part_of_rerun or self.silver.mode != "merge":
            return []
        columns = kept.collect_schema()
        return [name for name in ARRIVAL if name in columns]

    def order_lost(self, columns: Collection[str]) -> str:
        """That rows with these columns do not say which came first, where that decides; empty where it is known."""
        return missing_order(self.run.table.key, columns, PROVENANCE_COLUMNS) if self._may_be_overtaken else ""

    @cached_property
    def first(self) -> Mapping[str, int]:
        """When the inputs of the batch landed first that have landed before; empty where there are none."""
        if self.first_landed is not None or self.silver.mode != "merge":
            return self.first_landed or {}
        landed = bronze(self.run.table, self.run.lake)
        return first_landed(landed, self.again) if self.again or self.waited else {}

    @cached_property
    def keys_are_judged(self) -> bool:
        """Whether a rule refuses rows whose merge keys repeat."""
        queries = [rule.auxiliary_query() for rule in self.silver.rules if isinstance(rule, RowRule) and rule.refuses]
        wanted = set(self.silver.keys)
        return any(
            isinstance(query, Repeats) and set(query.columns) == wanted and not query.row_condition for query in queries
        )

    @property
    def _may_be_overtaken(self) -> bool:
        """Whether rows of the same keys may have come meanwhile: after the first version of an input, or to other partitions."""
        waited = self.silver.mode == "merge" and self.waited and self.run.partition is not None
        return not self.is_part_of_rerun and (bool(self.first) or waited)

    def _not_overtaken(self, kept: pl.LazyFrame) -> pl.LazyFrame:
        """Without rows whose keys have come later: from other files than one that has landed again, or in other partitions."""
        if not self._may_be_overtaken or self.order_lost(kept.collect_schema()):
            return kept
        beaten = overtaken(self.silver, kept, self._before, self.first, *self.silver.keys)
        return kept.join(beaten, on=exact_names(self.silver.keys), how="anti", maintain_order="left")

    @cached_property
    def _before(self) -> pl.LazyFrame:
        """What was kept before, asked once: rows may be judged, and written, more than once."""
        return in_rank(self.run, self.first)
