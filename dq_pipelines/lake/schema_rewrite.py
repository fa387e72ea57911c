"""Published rows in other types: what a table keeps beside a batch, staged so that one commit replaces it all.

Parquet files have their types for good, so a column that is to have another one is written anew in every row, of
every partition. Which types those are is found out in `schema_evolution`; the commit is in `publish`.
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
class Beside:
    """What other partitions of a table hold from a commit on, as it was found out from one version of the table."""

    version: int
    #: the rows of each partition that changes, without the partition's column
    parts: Mapping[str, pl.LazyFrame]


@contextmanager
def rewriting(
    stage: Stage,
    found: Drift | None,
    mode: Mode,
    keys: tuple[str, ...] = (),
    *,
    beside: Beside | None = None,
    claim: Claim | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> Iterator[Rewrite | None]:
    """What is to be written anew for the stage to be published in this mode; removed again unless a commit names it.

    None where no published row takes another type: new columns, and a table that is replaced whole, need no rewriting.
    Partitions that the commit changes `beside` that of the stage are written anew in any case.
    """
    retyped = found is not None and found.rewrites and not (mode == "overwrite" and stage.partition is None)
    if found is not None and retyped:
        version, parts = _beside(stage, mode, keys, found.schema, beside)
        log(f"{stage.table.key}: writing {counted(stage.table.rows(), 'row')} of it anew, for columns take other types")
    elif beside is not None:
        version = beside.version
        parts = [(_rewritten(stage, value), rows) for value, rows in beside.parts.items()]
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


def _beside(
    stage: Stage, mode: Mode, keys: tuple[str, ...], schema: pl.Schema, changed: Beside | None
) -> tuple[int, list[tuple[Stage, pl.LazyFrame]]]:
    """The table's version, and the rows that it keeps when the stage is published, by partition."""
    table = stage.table.snapshot()
    there = table.scan()
    partitioned = stage.partition is not None
    kept = exactly(there, {**schema, PARTITION: pl.String()} if partitioned else schema)
    if mode == "merge":
        # As a merge has it, in the new types: equal keys replace each other, wherever in the table they are.
        kept = kept.join(stage.scan().select(exact_names(keys)), on=exact_names(keys), how="anti")
    if not partitioned:
        parts: list[tuple[str | None, pl.LazyFrame]] = [(None, kept)]
    else:
        staying = [value for value in table.partitions if mode != "overwrite" or value != stage.partition]
        others = {value: kept.filter(pl.col(PARTITION) == value).drop(PARTITION) for value in staying}
        if changed is not None:
            others |= {value: exactly(rows, schema) for value, rows in changed.parts.items()}
        parts = [*others.items()]
    version = table.version if changed is None else changed.version
    return version, [(_rewritten(stage, value), rows) for value, rows in parts]
