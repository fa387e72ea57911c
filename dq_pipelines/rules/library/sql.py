"""A rule by a SQL condition on each row."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, ClassVar, Literal

import narwhals as nw
from pydantic import AfterValidator

from dq_pipelines.config.model import shown
from dq_pipelines.config.row_sql import beyond_the_row
from dq_pipelines.rules.core.auxiliary_queries import RowSql
from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.on_rows import RowRule


@lru_cache(maxsize=1024)
def _columns_of(sql: str) -> tuple[str, ...]:
    """The columns that the condition names, in order; raises ValueError if it is invalid."""
    import polars as pl
    from polars.exceptions import PanicException, PolarsError

    if not sql.strip():
        raise ValueError("wanted a SQL condition, got an empty one")
    if beyond := beyond_the_row(sql):
        raise ValueError(f"SQL condition {shown(sql)} wants a condition on one row, got {beyond}")
    try:
        expr = pl.sql_expr(sql)
    except (PolarsError, PanicException, ValueError) as error:
        raise ValueError(f"SQL condition {sql!r} does not parse: {str(error).splitlines()[0]}") from None
    if found := _looks_beyond_the_row(sql):
        raise ValueError(f"SQL condition {sql!r} wants a condition on one row, got {found}")
    return tuple(dict.fromkeys(expr.meta.root_names()))


def _looks_beyond_the_row(sql: str) -> str | None:
    """The aggregate or window in the condition, if any: the rows that it would cover are undefined."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        part = sqlglot.parse_one(sql, read="postgres").find(exp.AggFunc, exp.Window)
    except SqlglotError:
        return None  # Polars has parsed it, so the condition is valid
    return part.sql() if part else None


def _parses(sql: str) -> str:
    _columns_of(sql)
    return sql


class RowsSql(RowRule):
    """The SQL condition `sql` holds for every row.

    As in a SQL CHECK, a row passes if the condition is null (because of a missing value).
    """

    type: Literal["expect_rows_sql"]
    title_template: ClassVar[str] = "each row meets {sql}"
    #: such as `shipped_at >= ordered_at OR status = 'cancelled'`
    sql: Annotated[str, AfterValidator(_parses)]

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"a": [2, 1], "b": [1, 1]}, {"sql": "a >= b"}, {"success": True}),
        Example({"a": [2, 1], "b": [1, 2]}, {"sql": "a > b OR a = 1 AND b = 3"}, {"unexpected_count": 1}),
        Example({"a": [2, None], "b": [1, 1]}, {"sql": "a > b"}, {"success": True, "missing_count": 1}),
        Example({"a": [2, None]}, {"sql": "a IS NOT NULL"}, {"unexpected_count": 1, "missing_count": 0}),
    )

    @property
    def columns_judged(self) -> tuple[str, ...]:
        return _columns_of(self.sql)

    def auxiliary_query(self) -> RowSql:
        return RowSql(self.sql)

    def missing(self, columns: Columns) -> nw.Expr:
        return columns.answer(self.auxiliary_query()).is_null()

    def fails(self, columns: Columns) -> nw.Expr:
        for name in self.columns_judged:
            columns[name]  # raises for an unknown column before the engine does
        return ~columns.answer(self.auxiliary_query()).fill_null(True)
