"""Suggests foreign keys: columns whose values exist in a key of another table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.monitoring.suggestions.base import Suggestion, mostly, percent
from dq_pipelines.monitoring.suggestions.findings import Findings, Parent

#: Least share of a column's distinct values that exist in the key, and its least number of distinct values.
_FOUND, _LEAST_DISTINCT = 0.95, 3
#: Least share of the key's values that are used: small numbers exist in every numeric key.
_USED = 0.3


def suggest(findings: Findings) -> Iterator[Suggestion]:
    for column, table, key, missing, rows in foreign_keys(findings):
        rule = {"type": "expect_column_values_to_exist_in", "column": column, "table": table, "key": key}
        why = f"{percent(rows - missing, rows)} of the values are a {key} of {table}"
        if missing:
            yield Suggestion({**rule, "mostly": mostly(missing, rows)}, why, 0.75)
        else:
            yield Suggestion(rule, why, 0.95)


def foreign_keys(findings: Findings) -> Iterator[tuple[str, str, str, int, int]]:
    """Yields the best parent of each column: column, table, key, rows without a parent, rows with a value."""
    for column in findings:
        if column.distinct < _LEAST_DISTINCT or column.inferred_type.kind not in ("integer", "text"):
            continue
        best = None
        for parent in findings.parents:
            values = column.values["value"]
            if parent.values.dtype.is_integer() and values.dtype.is_integer():
                values = values.cast(parent.values.dtype, strict=False)
            if parent.values.dtype != values.dtype:
                continue
            exists = values.is_in(parent.values.implode()).fill_null(False)
            existing = int(exists.sum())
            named = parent.key == column.name or _alike(parent.key, column.name, parent.table)
            if existing < _FOUND * len(exists) or not (named or existing >= _USED * len(parent.values)):
                continue
            missing = int(column.values.filter(~exists)["count"].sum())
            rank = (named, -missing, existing / len(parent.values))
            if best is None or rank > best[0]:
                best = (rank, (column.name, parent.table, parent.key, missing, column.seen))
        if best is not None:
            yield best[1]


def parents_in(tables: Mapping[str, tuple[pl.LazyFrame, str]]) -> list[Parent]:
    """Reads the keys of other tables; `tables` has rows and key column by `<layer>/<table>`."""
    wanted = [rows.select(pl.col(exact(key)).unique()).drop_nulls() for rows, key in tables.values()]
    frames = zip(tables.items(), pl.collect_all(wanted, engine="streaming"), strict=True)
    return [Parent(table, key, frame.to_series()) for (table, (_, key)), frame in frames]


def _alike(key: str, column: str, table: str) -> bool:
    """Whether a column's name refers to the other table's key: `customer_id` to that of `customers`."""
    name = table.partition("/")[2].rstrip("s")
    return column.lower() in (f"{name}_{key}".lower(), f"{name}{key}".lower(), name.lower())
