"""The types of a table that is made anew: today's. Beside other partitions, where all that these hold fits them exactly.

Else a column takes the type that holds both, text if need be, until the other partitions are made anew as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.schema_evolution import Drift, fits
from dq_pipelines.lake.tables import PARTITION
from dq_pipelines.pipeline.runtime.table_run import TableRun
from dq_pipelines.transforms.types import name_of


def with_todays_types(run: TableRun, drift: Drift, today: pl.Schema) -> Drift:
    """`found`, of rows that were made anew with the types of `today`, with the types that the table has from then on.

    Raises PublishError where no type holds what a partition has and what the others have.
    """
    asked = [change.column for change in drift.changes if change.is_between]
    if run.partition is not None:
        asked = _fitting(run, drift, asked, today)
    types = {name: today[name] for name in asked}
    changes = [replace(each, becomes=types.get(each.column, each.becomes)) for each in drift.changes if each.is_between]
    for change in changes:
        if change.becomes is None:
            had, has = name_of(drift.before[change.column]), name_of(today[change.column])
            raise PublishError(
                f"{run.table.key}: wanted one type for the column '{change.column}', got {has}, and {had} in other "
                f"partitions, which no type holds besides; nothing was published; undo that, or rename the table's file "
                f"({run.table.name}_2.yaml, say): under a new name its inputs land once more"
            )
    others = [change for change in drift.changes if not change.is_between]
    return replace(drift, changes=(*others, *changes), schema=pl.Schema({**drift.schema, **types}))


def _fitting(run: TableRun, drift: Drift, columns: Sequence[str], today: pl.Schema) -> list[str]:
    """Of these columns those in which all that the other partitions hold is of today's type, too."""
    others = run.silver.scan().filter(pl.col(PARTITION) != run.partition)
    asks = [others.select(fits(name, drift.before[name], today[name]).all()) for name in columns]
    return [name for name, fit in zip(columns, collect_all(asks), strict=True) if fit.item()]
