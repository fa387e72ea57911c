"""Parses SQL queries over the judged rows and other tables: finds their tables, and rewrites them for engines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot.expressions import Expr, Table

#: The name of the judged rows in a query (GX's), and inside the engine.
PLACEHOLDER, BATCH = "{batch}", "_batch"

LAYERS = ("bronze", "silver", "quarantine", "gold")


@dataclass(frozen=True)
class Query:
    """One SELECT. It names tables of the project as `<layer>.<table>`."""

    sql: str
    #: how many rows to read at most; None: all
    most_rows: int | None = None

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """The project's tables that the query names, as `<layer>/<table>`."""
        return tuple(dict.fromkeys(f"{table.db}/{table.name}" for table in _tables(self.sql) if table.db))

    @cached_property
    def written(self) -> str:
        """The query with the names under which the engine registers the tables."""
        tree = _parsed(self.sql)
        for table in _tables_in(tree):
            if table.db:
                table.replace(_renamed(table, alias_of(f"{table.db}/{table.name}")))
        return str(tree.sql(dialect="postgres"))


def alias_of(table: str) -> str:
    """The name under which an engine registers `<layer>/<table>`."""
    return "_" + table.replace("/", "__")


def check(sql: str) -> str:
    """The query itself; raises ValueError, with one sentence, if it is invalid."""
    from sqlglot import exp

    tree = _parsed(sql)
    if not isinstance(tree, exp.Query):
        raise ValueError(f"wanted a SELECT, got {sql!r}")
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in _tables_in(tree):
        is_known = table.db in LAYERS if table.db else table.name == BATCH or table.name in own
        # The parser gives a table function the name of its argument: read_csv('x') is called x.
        if not is_known or not isinstance(table.this, exp.Identifier):
            raise ValueError(
                f"query names '{table.sql()}': wanted {PLACEHOLDER} for the judged rows, or a table as <layer>.<table> "
                f"(layer: {', '.join(LAYERS)})"
            )
    return sql


def _parsed(sql: str) -> Expr:
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        return sqlglot.parse_one(sql.replace(PLACEHOLDER, BATCH), read="postgres")
    except SqlglotError as error:
        raise ValueError(f"SQL query {sql!r} does not parse: {str(error).splitlines()[0]}") from None


def _tables(sql: str) -> list[Table]:
    return _tables_in(_parsed(sql))


def _tables_in(tree: Expr) -> list[Table]:
    from sqlglot import exp

    return list(tree.find_all(exp.Table))


def _renamed(table: Table, name: str) -> Expr:
    from sqlglot import exp

    return exp.alias_(exp.to_table(name), table.alias or table.name, table=True)
