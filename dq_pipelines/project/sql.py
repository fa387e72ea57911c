"""Parses a gold table's SQL without running it: which tables it reads, and the lineage of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp


class SqlError(ValueError):
    """The text is not one query that parses."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        #: line in the query's text, from 1
        self.line = line


@dataclass(frozen=True)
class Read:
    """One table that a query reads."""

    #: `silver/<name>` or `gold/<name>`; another layer, or no layer, as written
    key: str
    #: line in the query's text, from 1
    line: int


@lru_cache(maxsize=4096)
def reads(sql: str) -> tuple[Read, ...]:
    """The tables that a query reads, each once, in order; its own CTEs left out. Raises SqlError."""
    from sqlglot import exp

    query = _parsed(sql)
    own = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    found_tables: dict[str, Read] = {}
    for table in query.find_all(exp.Table):
        if not table.name or not isinstance(table.this, exp.Identifier):
            continue  # a table function such as range(10)
        if table.db or table.name.lower() not in own:
            key = "/".join(part.name for part in table.parts)
            found_tables.setdefault(key, Read(key, int(table.this.meta.get("line") or 1)))
    return tuple(sorted(found_tables.values(), key=lambda read: read.line))


def _parsed(sql: str) -> exp.Query:
    """The one query of a text, without the semicolon and the comments at its end; raises SqlError for any other text."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import ParseError, SqlglotError

    try:
        # A semicolon at the end, with comments after it, is not a statement.
        statements = [one for one in sqlglot.parse(sql, read="duckdb") if not isinstance(one, exp.Semicolon | None)]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        raise SqlError(f"SQL does not parse: {_reason(error, first)}", int(first.get("line") or 1)) from None
    except SqlglotError as error:
        raise SqlError(f"SQL does not parse: {str(error).splitlines()[0]}", 1) from None
    except RecursionError:
        raise SqlError("SQL nests too deeply to be read", 1) from None
    if len(statements) != 1 or not isinstance(query := statements[0], exp.Query):
        kind = type(statements[0]).__name__.upper() if statements else ""
        found = kind if len(statements) == 1 else f"{len(statements) or 'no'} statements"
        raise SqlError(f"wanted one SELECT, got {found}", 1)
    return query


def _reason(error: Exception, first: dict[str, object]) -> str:
    near = str(first.get("highlight") or "")
    reason = str(first.get("description") or error).splitlines()[0].rstrip(".")
    if "<class" in reason:  # sqlglot names one of its classes
        reason = "a part is missing"
    return f"{reason}, near '{near}'" if near else reason


def lineage(sql: str, schemas: Mapping[str, Sequence[str]]) -> dict[str, list[tuple[str, str]]]:
    """Per column of the query, the `(<layer>/<table>, column)` pairs that it is computed from.

    `schemas` gives the column names of every table that the query reads. A column has an empty list if sqlglot
    cannot determine its origin.
    """
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage as trace

    nested: dict[str, dict[str, dict[str, str]]] = {}
    for key, columns in schemas.items():
        layer, name = key.split("/")
        nested.setdefault(layer, {})[name] = dict.fromkeys(columns, "unknown")
    try:
        nodes = trace(None, _parsed(sql), nested, dialect="duckdb")
    except SqlglotError:
        return {}
    columns_read: dict[str, list[tuple[str, str]]] = {}
    for name, node in nodes.items():
        pairs = [
            (f"{table.db}/{table.name}", leaf.name.rpartition(".")[2].strip('"'))
            for leaf in node.walk()
            if not leaf.downstream and isinstance(table := leaf.source, exp.Table)
        ]
        columns_read[name] = list(dict.fromkeys(pairs))
    return columns_read
