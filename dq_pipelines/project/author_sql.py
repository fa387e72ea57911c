"""Checks SQL of a remote author: it may only read rows of the tables it is given. The parsed form decides, not the text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from dq_pipelines.rules.core.query import BATCH, LAYERS

#: Parsers disagree on some texts, so the SQL must be harmless in each dialect that parses it.
_DIALECTS = ("postgres", "duckdb")
#: Refused in the raw text: Polars and DuckDB read files and URLs by such functions.
_FILE_READERS = re.compile(r"\bread_(?:csv|ipc|json|ndjson|parquet|avro|delta|text|blob)\w*\b", re.IGNORECASE)
#: Table functions that read nothing.
_HARMLESS_TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series", "generateseries", "explode"})
#: Functions that reveal the server, or run a text as SQL.
_FORBIDDEN_FUNCTIONS = re.compile(
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
    """One sentence if the SQL does more than read rows; else "".

    `own` names the tables without a layer that it may read (`self`). With `is_expression`, `sql` is a value of a row, not a SELECT.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    if reader := _FILE_READERS.search(sql):
        return f"wanted SQL over the table's own rows, got {reader[0]}, which reads files"
    text = f"SELECT 1 WHERE (\n{sql}\n)" if is_expression else sql.replace("{batch}", BATCH)
    is_parsed = False
    for dialect in _DIALECTS:
        try:
            statements = sqlglot.parse(text, read=dialect)
        except (SqlglotError, RecursionError):
            continue
        is_parsed = True
        if why := _objection(statements, own):
            return why
    return "" if is_parsed else "wanted SQL that can be checked, got some that does not parse"


def _objection(statements: Collection[Any], own: Collection[str]) -> str:
    from sqlglot import exp

    trees = [tree for tree in statements if tree is not None]
    if len(trees) != 1:
        return f"wanted one SELECT, got {len(trees)} statements"
    if not isinstance(trees[0], exp.Query):
        return f"wanted one SELECT, got {type(trees[0]).__name__.upper()}"
    tree = trees[0]
    forbidden = tuple(kind for name in _STATEMENTS if (kind := getattr(exp, name, None)) is not None)
    for node in tree.walk():
        if isinstance(node, forbidden):
            return f"wanted one SELECT, got {type(node).__name__.upper()}"
    names = {cte.alias.lower() for cte in tree.find_all(exp.CTE)} | {name.lower() for name in own}
    return next(iter([*_tables(tree, names), *_functions(tree)]), "")


def _tables(tree: Any, names: Collection[str]) -> Iterator[str]:
    from sqlglot import exp

    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            continue  # reported by _functions
        is_allowed = isinstance(table.this, exp.Identifier) and not table.args.get("catalog")
        is_allowed = is_allowed and (table.db in LAYERS if table.db else table.name.lower() in names)
        if not is_allowed:
            yield f"wanted SQL over {' and '.join(sorted(names)) or 'tables of the project'}, got '{table.sql()[:60]}'"


def _functions(tree: Any) -> Iterator[str]:
    from sqlglot import exp

    for function in tree.find_all(exp.Func):
        name = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
        if (
            isinstance(function.parent, exp.Table | exp.Lateral | exp.From | exp.Join)
            and name.lower() not in _HARMLESS_TABLE_FUNCTIONS
        ):
            yield f"wanted a table, got the table function {name[:60]}"
        elif _FORBIDDEN_FUNCTIONS.fullmatch(name):
            yield f"wanted SQL over rows, got the function {name[:60]}"
