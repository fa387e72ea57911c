"""Landed cells that travel along with the rows, hidden, so that one stream writes bronze and is judged as well.

How rows land belongs in `batch`, what becomes of them in `preparation` and `judged_batch`.
"""

from __future__ import annotations

import polars as pl
from polars import selectors

from dq_pipelines.pipeline.preparation.preparation import CARRIED, may_drop
from dq_pipelines.project import Silver
from dq_pipelines.rules.core.auxiliary_queries import Determined, Exists, LimitsFromColumn
from dq_pipelines.rules.core.on_rows import RowRule


def in_one_pass(silver: Silver, key: str) -> bool:
    """Whether bronze can be written from the rows that are judged, so that the inputs are read once.

    Not where a step leaves rows out, for bronze has them all; nor where rules look at the rows of the table `key`
    apart from the scan, which would read the inputs once more.
    """
    queries = [rule.auxiliary_query() for rule in silver.rules if isinstance(rule, RowRule)]
    looks_twice = any(
        isinstance(query, Determined | LimitsFromColumn) or (isinstance(query, Exists) and query.table == key)
        for query in queries
    )
    return not looks_twice and not may_drop(silver)


def carrying(rows: pl.LazyFrame) -> pl.LazyFrame:
    """`rows` with a hidden copy of each column, which costs no memory: no step and no cast changes those."""
    return rows.with_columns(pl.all().name.prefix(CARRIED))


def landed_again(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows as they landed, from what `carrying` gave them."""
    copies = selectors.starts_with(CARRIED)
    names = rows.select(copies).collect_schema().names()
    return rows.select(copies).rename({name: name.removeprefix(CARRIED) for name in names})
