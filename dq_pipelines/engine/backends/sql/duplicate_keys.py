"""Repeated keys in an engine: by a group-by and a join."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw

from dq_pipelines.engine.backends.sql.query_engine import Frame
from dq_pipelines.rules.core.auxiliary_queries import Repeats
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.condition import Condition

_LEN = "_len"

#: What stands for a missing part of a key, which no join would match. A column of its own says that it is missing.
_FILLERS: dict[str, Any] = {
    "number": 0,
    "boolean": False,
    "text": "",
    "date": "1970-01-01",
    "datetime": "1970-01-01",
    "time": "00:00",
    "unknown": 0,
}


def with_repeats(frame: Frame, rows: Frame, query: Repeats, columns: Columns, name: str) -> Frame:
    """`frame` with a boolean column of this name: the row's key occurs more than once among the `rows`.

    By a join with the repeated keys, which are few: a window over all rows takes twice as long in DuckDB.
    """
    keys = _keys(query, columns, name)
    judged = _judged_keys(query, columns)
    repeated = _groups(rows, query, columns, keys).select(*keys, nw.lit(True).alias(name))
    marked = frame.with_columns(**keys).join(repeated, on=list(keys), how="left").drop(*keys)
    repeats = nw.col(name).fill_null(False)
    return marked.with_columns((repeats if judged is None else repeats & judged).alias(name))


def repeat_count(rows: Frame, query: Repeats, columns: Columns, name: str) -> Frame:
    """One row and column of this name: how many rows have a key that occurs more than once."""
    keys = {f"_key_{place}": columns[column].expr for place, column in enumerate(query.columns)}
    return _groups(rows, query, columns, keys).select(nw.col(_LEN).sum().alias(name))


def _judged_keys(query: Repeats, columns: Columns) -> nw.Expr | None:
    """Boolean per row: the row's key is one that the rule is about; None when every key is."""
    flags = [columns[name].is_missing for name in query.columns]
    join = nw.any_horizontal if query.ignore == "any_value_is_missing" else nw.all_horizontal
    judged = None if query.ignore == "never" else ~join(*flags, ignore_nulls=True)
    if query.row_condition is None:
        return judged
    condition = Condition.parse(query.row_condition).expr(columns)
    return condition if judged is None else judged & condition


def _keys(query: Repeats, columns: Columns, name: str) -> dict[str, nw.Expr]:
    """The key as columns that a join can match: for each column its value, and whether it has one."""
    keys = {}
    for place, column in enumerate(query.columns):
        value = columns[column]
        if value.family not in _FILLERS:
            raise NotImplementedError(f"column '{column}' is {value.dtype}: no engine but Polars finds such keys again")
        # Among literals a boolean is the number that it is compared as.
        filler = False if value.family == "boolean" else value.literal(_FILLERS[value.family])
        keys[f"{name}_{place}"] = value.expr.fill_null(filler)
        keys[f"{name}_{place}_missing"] = value.is_missing
    return keys


def _groups(rows: Frame, query: Repeats, columns: Columns, keys: Mapping[str, nw.Expr]) -> Frame:
    """The keys that occur more than once, and how often."""
    judged = _judged_keys(query, columns)
    counted = rows if judged is None else rows.filter(judged)
    return counted.select(**keys).group_by(*keys).agg(nw.len().alias(_LEN)).filter(nw.col(_LEN) > 1)
