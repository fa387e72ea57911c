"""A backend with a query engine: what it lacks, and how it makes a scan. How rules are judged there is in `scan`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import narwhals as nw
import polars as pl
from narwhals.dtypes import DType

from dq_pipelines.engine.backends.base import Lookup, no_tables
from dq_pipelines.engine.backends.sql.plan_validation import validated
from dq_pipelines.engine.backends.sql.query_engine import Frame, QueryEngine
from dq_pipelines.engine.backends.sql.scan import SqlScan
from dq_pipelines.engine.plan import ScanPlan
from dq_pipelines.rules.core.auxiliary_queries import (
    AuxiliaryQuery,
    ByGx,
    ByText,
    Determined,
    Exists,
    InOrder,
    RowSql,
)
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.column_statistics import ColumnStatistics
from dq_pipelines.rules.core.gx_expectations import TableByGx
from dq_pipelines.rules.core.on_rows import RowRule
from dq_pipelines.rules.core.on_tables import GroupRule, QueryRule
from dq_pipelines.rules.library.quantiles import QuantileValues


class SqlBackend(QueryEngine):
    """A backend that runs Narwhals expressions as queries of its own."""

    gaps: ClassVar[Mapping[type[Rule | AuxiliaryQuery], str]] = {
        InOrder: "its rows have no order",
        Determined: "which value is the usual one is found by Polars",
        ByText: "only Python gives this answer",
        RowSql: "the SQL is written for Polars, and dialects differ",
        QueryRule: "the SQL is written for Polars, and dialects differ",
        QuantileValues: "its quantiles lie between values, where the rule's are values that are there",
    }

    @classmethod
    def gap(cls, rule: Rule) -> str | None:
        query = rule.auxiliary_query() if isinstance(rule, RowRule) else None
        if isinstance(query, ByGx) or isinstance(rule, TableByGx):
            return "Great Expectations judges by it, on pandas"
        if isinstance(query, Exists) or (isinstance(rule, GroupRule | QueryRule) and rule.reads):
            return "the other table lies in the lake"
        return super().gap(rule)

    def scan(
        self,
        frame: Frame,
        rules: Sequence[Rule],
        *,
        lookup: Lookup = no_tables,
        hidden: frozenset[str] = frozenset(),
        statistics: Mapping[str, ColumnStatistics] | None = None,
        types: Mapping[str, pl.DataType] | None = None,
    ) -> SqlScan:
        types = types or {}
        columns: dict[str, DType] = {
            **self.schema(frame),
            **nw.from_native(pl.LazyFrame(schema=types)).collect_schema(),
        }
        seen = {name: dtype for name, dtype in columns.items() if name not in hidden}
        gaps = {index: gap for index, rule in enumerate(rules) if (gap := self.gap(rule)) is not None}
        plan = ScanPlan(seen, rules, lacking=gaps, dialect=self.dialect, statistics=statistics or {})
        # Auxiliary queries of rules that cannot be planned must not be asked either.
        plan = plan.without({item.index: item.error for item in plan.planned if item.error is not None})
        return validated(SqlScan(self, frame, plan, lookup, hidden, types=types))
