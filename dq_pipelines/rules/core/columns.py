"""Defines the columns of the judged rows by name, with the engine's answers and statistics for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import narwhals as nw
from narwhals.dtypes import DType

from dq_pipelines.config.columns import exact
from dq_pipelines.errors import RuleError, nearest
from dq_pipelines.rules.core.auxiliary_queries import AuxiliaryQuery
from dq_pipelines.rules.core.column_statistics import NO_STATISTICS, ColumnStatistics
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.dialect import POLARS, Dialect


@dataclass(frozen=True)
class Columns:
    """The schema of the judged rows, and expressions over them."""

    schema: Mapping[str, DType]
    #: names of the boolean columns with the engine's answers, by query
    answers: Mapping[AuxiliaryQuery, str] = field(default_factory=dict)
    #: the dialect of the engine that has the data
    dialect: Dialect = POLARS
    #: statistics from the table's metadata, by column
    statistics: Mapping[str, ColumnStatistics] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Value:
        """The column of this name; raises RuleError if there is none."""
        if name not in self.schema:
            raise RuleError(f"no column '{name}'{nearest(name, self.schema)}; there are: {', '.join(self.schema)}")
        dtype = self.schema[name]
        column = nw.col(exact(name) if self.dialect is POLARS else name)
        expr = column.fill_nan(None) if dtype.is_float() else column
        return Value(name, expr, dtype, self.dialect, self.statistics.get(name, NO_STATISTICS))

    def answer(self, query: AuxiliaryQuery) -> nw.Expr:
        """The engine's answer to a query, for each row."""
        return nw.col(self.answers[query])
