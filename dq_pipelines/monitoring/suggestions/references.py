"""Values that are all found in a key of another table: foreign keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from dq_pipelines.config.columns import exact
from dq_pipelines.monitoring.suggestions.base import Suggestion, mostly, percent
from dq_pipelines.monitoring.suggestions.findings import Findings, Parent

#: The share of a column's distinct values that must be found, and how many values it has at least.
_FOUND, _LEAST_DISTINCT = 0.95, 3
#: The share of the other key's values that must be used: small numbers are found among all keys that are numbers.
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
    """Column, table, key, rows whose value is not found, rows with a value: for each column the parent that fits best."""
    for column in findings:
        if column.distinct < _LEAST_DISTINCT or column.reading.kind not in ("integer", "text"):
            continue
        best = None
        for parent in findings.parents:
            values = column.values["value"]
            if parent.values.dtype.is_integer() and values.dtype.is_integer():
                values = values.cast(parent.values.dtype, strict=False)
            if parent.values.dtype != values.dtype:
                continue
            there = values.is_in(parent.values.implode()).fill_null(False)
            found = int(there.sum())
            named = parent.key == column.name or _alike(parent.key, column.name, parent.table)
            if found < _FOUND * len(there) or not (named or found >= _USED * len(parent.values)):
                continue
            missing = int(column.values.filter(~there)["count"].sum())
            rank = (named, -missing, found / len(parent.values))
            if best is None or rank > best[0]:
                best = (rank, (column.name, parent.table, parent.key, missing, column.seen))
        if best is not None:
            yield best[1]


def parents_in(tables: Mapping[str, tuple[pl.LazyFrame, str]]) -> list[Parent]:
    """The keys of other tables: by `<layer>/<table>` the rows, and the column that tells them apart."""
    wanted = [rows.select(pl.col(exact(key)).unique()).drop_nulls() for rows, key in tables.values()]
    found = zip(tables.items(), pl.collect_all(wanted, engine="streaming"), strict=True)
    return [Parent(table, key, frame.to_series()) for (table, (_, key)), frame in found]


def _alike(key: str, column: str, table: str) -> bool:
    """Whether the name of a column says that it is the other table's key: `customer_id` that of `customers`."""
    name = table.partition("/")[2].rstrip("s")
    return column.lower() in (f"{name}_{key}".lower(), f"{name}{key}".lower(), name.lower())
