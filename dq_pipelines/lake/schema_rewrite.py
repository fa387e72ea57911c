"""Rewrites published rows in new column types, staged so that one commit replaces them together with a batch.

A Parquet file cannot change its types, so a column with a new type is rewritten in every row of every partition.
`schema_evolution` decides the types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import polars as pl

from dq_pipelines.config.columns import exact_names
from dq_pipelines.config.counting import counted
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.lake.publish import Mode, Rewrite
from dq_pipelines.lake.schema_evolution import Drift, exactly
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.table_lock import Claim, staged
from dq_pipelines.lake.tables import PARTITION


@dataclass(frozen=True)
class OtherPartitions:
    """New rows of other partitions that change with a batch, computed from one version of the table."""

    version: int
    #: the new rows of each partition that changes, without the partition column
    parts: Mapping[str, pl.LazyFrame]


@contextmanager
def rewriting(
    stage: Stage,
    difference: Drift | None,
    mode: Mode,
    keys: tuple[str, ...] = (),
    *,
    others: OtherPartitions | None = None,
    claim: Claim | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> Iterator[Rewrite | None]:
    """Stage the published rows that must be rewritten with this stage; they are removed again unless a commit names them.

    Yields None where no published row gets another type: new columns, or a table that is replaced whole, need no rewrite.
    The partitions in `others` are rewritten in any case.
    """
    retyped = difference is not None and difference.rewrites and not (mode == "overwrite" and stage.partition is None)
    if difference is not None and retyped:
        version, parts = _kept_by_partition(stage, mode, keys, difference.schema, others)
        log(f"{stage.table.key}: rewriting {counted(stage.table.rows(), 'row')}, since columns change their types")
    elif others is not None:
        version = others.version
        parts = [(_rewritten(stage, value), rows) for value, rows in others.parts.items()]
    else:
        yield None
        return
    with staged(*(part for part, _ in parts), claim=claim):
        for part, rows in parts:
            collect_all([part.sink(rows)])
            part.tidy()
        yield Rewrite(version, tuple(part for part, _ in parts), whole=retyped)


def _rewritten(stage: Stage, partition: str | None) -> Stage:
    return Stage(stage.table, f"{stage.batch}-rewritten", partition)


def _kept_by_partition(
    stage: Stage, mode: Mode, keys: tuple[str, ...], schema: pl.Schema, changed: OtherPartitions | None
) -> tuple[int, list[tuple[Stage, pl.LazyFrame]]]:
    """The table's version, and a stage with the rows that each partition keeps when the stage is published."""
    table = stage.table.snapshot()
    rows = table.scan()
    partitioned = stage.partition is not None
    kept = exactly(rows, {**schema, PARTITION: pl.String()} if partitioned else schema)
    if mode == "merge":
        # As in a merge, but in the new types: rows with equal keys replace each other in the whole table.
        kept = kept.join(stage.scan().select(exact_names(keys)), on=exact_names(keys), how="anti")
    if not partitioned:
        parts: list[tuple[str | None, pl.LazyFrame]] = [(None, kept)]
    else:
        staying = [value for value in table.partitions if mode != "overwrite" or value != stage.partition]
        staying_rows = {value: kept.filter(pl.col(PARTITION) == value).drop(PARTITION) for value in staying}
        if changed is not None:
            staying_rows |= {value: exactly(rows, schema) for value, rows in changed.parts.items()}
        parts = [*staying_rows.items()]
    version = table.version if changed is None else changed.version
    return version, [(_rewritten(stage, value), rows) for value, rows in parts]
