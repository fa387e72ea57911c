"""Published rows in other types: what a table keeps beside a batch, staged so that one commit replaces it all.

Parquet files have their types for good, so a column that is to have another one is written anew in every row, of
every partition. Which types those are is found out in `evolution`; the commit is in `publish`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.lake.claim import Claim, staged
from dq_pipelines.lake.evolution import Drift, exactly
from dq_pipelines.lake.publish import Mode, Rewrite
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import PARTITION


@contextmanager
def rewriting(
    stage: Stage,
    found: Drift | None,
    mode: Mode,
    keys: tuple[str, ...] = (),
    *,
    claim: Claim | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> Iterator[Rewrite | None]:
    """What is to be written anew for the stage to be published in this mode; removed again unless a commit names it.

    None where no published row takes another type: new columns, and a table that is replaced whole, need no rewriting.
    """
    if found is None or not found.rewrites or (mode == "overwrite" and stage.partition is None):
        yield None
        return
    version, parts = _beside(stage, mode, keys, found.schema)
    log(f"{stage.table.key}: writing its {stage.table.rows():,} rows anew, for columns take other types")
    with staged(*(part for part, _ in parts), claim=claim):
        for part, rows in parts:
            collect_all([part.sink(rows)])
            part.tidy()
        yield Rewrite(version, tuple(part for part, _ in parts))


def _beside(
    stage: Stage, mode: Mode, keys: tuple[str, ...], schema: pl.Schema
) -> tuple[int, list[tuple[Stage, pl.LazyFrame]]]:
    """The table's version, and the rows that it keeps when the stage is published, by partition."""
    table = stage.table.opened()
    there = pl.scan_delta(table)
    partitioned = stage.partition is not None
    kept = exactly(there, {**schema, PARTITION: pl.String()} if partitioned else schema)
    if mode == "merge":
        # As Delta's merge has it, in the new types: equal keys replace each other, wherever in the table they are.
        kept = kept.join(stage.scan().select(exact_names(keys)), on=exact_names(keys), how="anti")
    if not partitioned:
        parts: list[tuple[str | None, pl.LazyFrame]] = [(None, kept)]
    else:
        values = [part[PARTITION] for part in table.partitions()]
        staying = [value for value in values if mode != "overwrite" or value != stage.partition]
        parts = [(value, kept.filter(pl.col(PARTITION) == value).drop(PARTITION)) for value in staying]
    return table.version(), [(Stage(stage.table, f"{stage.batch}-rewritten", value), rows) for value, rows in parts]
