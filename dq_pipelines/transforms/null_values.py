"""Replaces a column's `null_values` by null before the column is cast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import polars as pl

from dq_pipelines.config.columns import exact


class HasNullValues(Protocol):
    """The settings of a column in YAML: the project's `Column`."""

    @property
    def null_values(self) -> Sequence[str]: ...


def without_null_values(rows: pl.LazyFrame, columns: Mapping[str, HasNullValues]) -> pl.LazyFrame:
    """The rows with the `null_values` of text columns replaced by null. Columns of other types do not change."""
    wanted = {name: list(column.null_values) for name, column in columns.items() if column.null_values}
    if not wanted:
        return rows
    schema = rows.collect_schema()
    return rows.with_columns(
        pl.when(~pl.col(exact(name)).is_in(texts)).then(pl.col(exact(name))).alias(name)
        for name, texts in wanted.items()
        if isinstance(schema.get(name), pl.String)
    )
