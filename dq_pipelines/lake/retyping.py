"""Published rows in other types: what a table keeps beside a batch, staged so that one commit replaces it all.

Parquet files have their types for good, so a column that is to have another one is written anew in every row, of
every partition. Which types those are is found out in `evolution`; the commit is in `publish`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from dq_pipelines.lake.evolution import exactly
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import PARTITION

Mode = Literal["append", "overwrite", "merge"]


@dataclass(frozen=True)
class Rewrite:
    """The rows of one version of a table that stay beside a batch, in the types of the batch."""

    #: the Delta version that was read; a commit on any other would undo what came since
    version: int
    #: one of each partition
    stages: tuple[Stage, ...]
    #: what is to be staged in each
    rows: tuple[pl.LazyFrame, ...]

    def sinks(self) -> list[pl.LazyFrame]:
        return [stage.sink(rows) for stage, rows in zip(self.stages, self.rows, strict=True)]


def rewrite_beside(stage: Stage, mode: Mode, keys: tuple[str, ...], schema: pl.Schema) -> Rewrite:
    """What the table keeps when the staged batch is published in this mode, in the types of `schema`."""
    table = stage.table.opened()
    rows = pl.scan_delta(table)
    kept = exactly(rows, schema | rows.select(PARTITION).collect_schema() if stage.partition is not None else schema)
    if mode == "merge":
        # As Delta's merge has it, in the new types: equal keys replace each other, wherever in the table they are.
        kept = kept.join(stage.scan().select(keys), on=list(keys), how="anti")
    if stage.partition is None:
        parts: list[tuple[str | None, pl.LazyFrame]] = [(None, kept)] if mode != "overwrite" else []
    else:
        values = [part[PARTITION] for part in table.partitions()]
        staying = [value for value in values if mode != "overwrite" or value != stage.partition]
        parts = [(value, kept.filter(pl.col(PARTITION) == value).drop(PARTITION)) for value in staying]
    stages = tuple(Stage(stage.table, f"{stage.batch}-rewritten", value) for value, _ in parts)
    return Rewrite(table.version(), stages, tuple(rows for _, rows in parts))
