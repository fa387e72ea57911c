"""What SQL of a remote author may do: read rows of the tables that it is given, by its parsed form and not by its text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from dq_pipelines.rules.core.query import BATCH, LAYERS

#: Readers do not agree on every text: what any of them makes of it has to be harmless.
_DIALECTS = ("postgres", "duckdb")
#: Whatever a parser makes of it: Polars and DuckDB read files and addresses by such functions.
_READS = re.compile(r"\bread_(?:csv|ipc|json|ndjson|parquet|avro|delta|text|blob)\w*\b", re.IGNORECASE)
#: Functions in the place of a table that read nothing.
_ROWS = frozenset({"unnest", "range", "generate_series", "generateseries", "explode"})
#: Functions that tell of the server, or run a text as SQL.
_TELLS = re.compile(
    r"(?:read|scan|sniff|duckdb|pragma|pg|parquet|iceberg|delta|postgres|mysql|sqlite|lo|dblink)_.*"
    r"|getenv|current_setting|set_config|glob|query|query_table|dblink|version|which_secret",
    re.IGNORECASE,
)
_STATEMENTS = (
    "Alter", "Analyze", "Attach", "Cache", "Command", "Commit", "Copy", "Create", "Delete", "Describe", "Detach", "Drop",
    "Execute", "Export", "Grant", "Insert", "Install", "Into", "Kill", "LoadData", "Merge", "Pragma", "Refresh", "Rollback",
    "Set", "Show", "Summarize", "Transaction", "TruncateTable", "Update", "Use",
)  # fmt: skip


@lru_cache(maxsize=4096)
def objection(sql: str, own: tuple[str, ...], *, is_expression: bool = False) -> str:
    """One sentence for SQL that does more than to read rows; else "".

    `own` are names of tables without a layer that it may read (`self`). An expression is one value of a row, not a SELECT.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    if found := _READS.search(sql):
        return f"wanted SQL over the table's own rows, got {found[0]}, which reads files"
    text = f"SELECT 1 WHERE (\n{sql}\n)" if is_expression else sql.replace("{batch}", BATCH)
    is_read = False
    for dialect in _DIALECTS:
        try:
            statements = sqlglot.parse(text, read=dialect)
        except (SqlglotError, RecursionError):
            continue
        is_read = True
        if said := _said(statements, own):
            return said
    return "" if is_read else "wanted SQL that can be looked through, got some that does not parse"


def _said(statements: Collection[Any], own: Collection[str]) -> str:
    from sqlglot import exp

    trees = [tree for tree in statements if tree is not None]
    if len(trees) != 1:
        return f"wanted one SELECT, got {len(trees)} statements"
    if not isinstance(trees[0], exp.Query):
        return f"wanted one SELECT, got {type(trees[0]).__name__.upper()}"
    tree = trees[0]
    forbidden = tuple(found for name in _STATEMENTS if (found := getattr(exp, name, None)) is not None)
    for node in tree.walk():
        if isinstance(node, forbidden):
            return f"wanted one SELECT, got {type(node).__name__.upper()}"
    names = {cte.alias.lower() for cte in tree.find_all(exp.CTE)} | {name.lower() for name in own}
    return next(iter([*_tables(tree, names), *_functions(tree)]), "")


def _tables(tree: Any, names: Collection[str]) -> Iterator[str]:
    from sqlglot import exp

    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            continue  # said by _functions
        known = isinstance(table.this, exp.Identifier) and not table.args.get("catalog")
        known = known and (table.db in LAYERS if table.db else table.name.lower() in names)
        if not known:
            yield f"wanted SQL over {' and '.join(sorted(names)) or 'tables of the project'}, got '{table.sql()[:60]}'"


def _functions(tree: Any) -> Iterator[str]:
    from sqlglot import exp

    for function in tree.find_all(exp.Func):
        name = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
        if isinstance(function.parent, exp.Table | exp.Lateral | exp.From | exp.Join) and name.lower() not in _ROWS:
            yield f"wanted a table, got the table function {name[:60]}"
        elif _TELLS.fullmatch(name):
            yield f"wanted SQL over rows, got the function {name[:60]}"
