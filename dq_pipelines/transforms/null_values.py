"""Texts that mean that a column has no value: they become null before the column is cast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import polars as pl

from dq_pipelines.config.columns import exact


class HasNullValues(Protocol):
    """What a column's YAML says: `Column` of the project."""

    @property
    def null_values(self) -> Sequence[str]: ...


def without_null_values(rows: pl.LazyFrame, columns: Mapping[str, HasNullValues]) -> pl.LazyFrame:
    """The rows with null where a text column has one of its own `null_values`. Columns of other types keep their values."""
    wanted = {name: list(column.null_values) for name, column in columns.items() if column.null_values}
    if not wanted:
        return rows
    schema = rows.collect_schema()
    return rows.with_columns(
        pl.when(~pl.col(exact(name)).is_in(texts)).then(pl.col(exact(name))).alias(name)
        for name, texts in wanted.items()
        if isinstance(schema.get(name), pl.String)
    )
