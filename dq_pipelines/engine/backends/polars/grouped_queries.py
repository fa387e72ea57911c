"""Small frames of rules on the whole table, as lazy frames that Polars collects together with the scan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals as nw
import polars as pl

from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_tables import GroupRule, QueryRule
from dq_pipelines.rules.core.query import BATCH, Query, alias_of
from dq_pipelines.transforms import exact_sql


def small_frames(rule: Rule, rows: pl.LazyFrame, lookup: Callable[[str], pl.LazyFrame]) -> list[pl.LazyFrame]:
    """The frames that the rule needs of `rows`; raises RuleError or a PolarsError where its query does not fit them."""
    known = nw.from_native(rows)
    columns = Columns(dict(known.collect_schema()))
    condition = rule.condition(columns)
    if condition is not None:
        known = known.filter(condition)
    if isinstance(rule, GroupRule):

        def table(name: str) -> nw.LazyFrame[Any]:
            return nw.from_native(lookup(name))

        small: pl.LazyFrame = rule.group(known, columns, table).to_native()
        return [small]
    if isinstance(rule, QueryRule):
        return [_queried(query, known.to_native(), lookup) for query in rule.queries]
    return []


def _queried(query: Query, rows: pl.LazyFrame, lookup: Callable[[str], pl.LazyFrame]) -> pl.LazyFrame:
    frames = {BATCH: rows, **{alias_of(table): lookup(table) for table in query.tables}}
    frame = exact_sql.query(frames, query.written, narrow=False)
    return frame if query.most_rows is None else frame.head(query.most_rows)
