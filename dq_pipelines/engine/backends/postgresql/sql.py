"""The SQL of PostgreSQL for Narwhals expressions: ibis writes it, with some corrections so that it means the same.

Only ibis' expressions and its compiler are used, not its backend, which needs another driver, pandas before 3 and a
connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
import narwhals as nw
import polars as pl
from ibis.backends.sql.compilers.postgres import PostgresCompiler
from ibis.expr import datatypes
from ibis.formats.polars import PolarsType
from sqlglot import exp
from sqlglot.dialects import Postgres

from dq_pipelines.engine.backends.postgresql.types import Column


class _Dialect(Postgres):  # type: ignore[misc] # ibis has no types, nor has sqlglot compiled
    """What ibis' compiler writes in: PostgreSQL's, with what ibis adds to sqlglot's writer of it.

    A class of its own, for sqlglot looks at what a writer can do once only, maybe before ibis was there.
    """

    class Generator(Postgres.Generator):  # type: ignore[misc]
        TRANSFORMS = {**Postgres.Generator.TRANSFORMS}


class _Writer(PostgresCompiler):  # type: ignore[misc] # ibis has no types
    """ibis' own, but for what follows."""

    __slots__ = ()

    def visit_Cast(self, op: Any, *, arg: Any, to: Any) -> Any:  # noqa: N802 - ibis' name
        if op.arg.dtype.is_boolean() and to.is_numeric():
            arg = self.cast(arg, datatypes.int32)  # the only number that a boolean is cast to
        return super().visit_Cast(op, arg=arg, to=to)

    def visit_InValues(self, op: Any, *, value: Any, options: Any) -> Any:  # noqa: N802
        # Else PostgreSQL rounds the set's numbers to floats of 4 bytes, which no other engine does.
        wide = self.cast(value, datatypes.float64) if op.value.dtype.is_float32() else value
        return super().visit_InValues(op, value=wide, options=options)


_WRITER = _Writer()


def quoted(name: str) -> str:
    """The name as an identifier, whatever is in it."""
    return exp.to_identifier(name, quoted=True).sql(_Dialect)


def select_from(table: tuple[str, str], columns: Sequence[Column]) -> exp.Query:
    """The query that reads the columns of a table, by its schema and name, as rules are to see them."""
    read = (
        exp.alias_(exp.maybe_parse(column.read(quoted(column.name)), dialect=_Dialect), column.name, quoted=True)
        for column in columns
    )
    schema, name = table
    return exp.select(*read).from_(exp.table_(name, db=schema, quoted=True))


def frame_of(name: str, columns: Sequence[Column]) -> nw.LazyFrame[Any]:
    """The rows that a query of this name stands for, as a frame that expressions can be asked of."""
    frame: nw.LazyFrame[Any] = nw.from_native(
        ibis.table({column.name: _ibis_type(column.polars) for column in columns}, name=name)
    )
    return frame


def _ibis_type(dtype: pl.DataType) -> Any:
    match dtype:
        case pl.Null():
            return datatypes.null
        case pl.Categorical() | pl.Enum():
            return datatypes.string
        case pl.Duration():
            return datatypes.Interval("us")
    return PolarsType.to_ibis(dtype)


def written(frame: nw.LazyFrame[Any], bases: dict[str, exp.Query]) -> str:
    """The one query that gives the rows of the frame; `bases` are what the tables in it stand for."""

    def based(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.Table) or node.name not in bases:
            return node
        return bases[node.name].copy().subquery(node.alias or node.name)

    # Not in place: where a part occurs twice, ibis writes one and the same node.
    query = _WRITER.to_sqlglot(frame.to_native()).transform(based)
    for common in query.find_all(exp.CTE):
        # Read twice rather than written to disk once: it is the user's whole table.
        common.set("materialized", False)
    text: str = query.sql(_Dialect)
    return text


def polars_types(frame: nw.LazyFrame[Any]) -> list[tuple[str, pl.DataType]]:
    """The columns of the frame, in the types of Polars."""
    return [(name, PolarsType.from_ibis(dtype)) for name, dtype in frame.to_native().schema().items()]
