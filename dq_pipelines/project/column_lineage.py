"""Which columns a table's columns are computed from, as far as its YAML tells: `from`, the steps, and the SQL of gold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from dq_pipelines.project.sql import lineage
from dq_pipelines.transforms.steps import Derive, Rename, Sql

if TYPE_CHECKING:
    from dq_pipelines.project.model import Table

#: A column of a table: the table's key, and the column's name.
Column = tuple[str, str]


def column_origins(
    table: Table, columns: Sequence[str], schemas: Mapping[str, Sequence[str]]
) -> dict[str, list[Column]]:
    """Per column of a table, the columns of its inputs that it is computed from; none where that is not known.

    `columns` are those of the table, `schemas` those of each input of a gold table. A silver table's inputs are columns of
    its bronze table. A column that a step makes in Python, or in SQL under a name of its own, has no known origin.
    """
    if not table.is_gold:
        return silver_origins(table, columns)
    if table.gold.sql is None or any(key not in schemas for key in table.inputs):
        return {name: [] for name in columns}
    found = _traced(table.gold.sql, tuple((key, tuple(schemas[key])) for key in table.inputs))
    return {name: list(found.get(name, ())) for name in columns}


def silver_origins(table: Table, columns: Iterable[str]) -> dict[str, list[Column]]:
    """Per column of a silver table, the columns of bronze that it is computed from."""
    declared = table.landed.silver.columns
    known = {name: list(column.sources or (name,)) for name, column in declared.items()}
    made_by_query = False
    for step in table.landed.silver.transform:
        match step:
            case Rename(rename=names):
                known |= {new: known.pop(old, [old]) for old, new in names.items()}
            case Derive(derive=expressions):
                known |= {
                    name: list(dict.fromkeys(one for used in columns_of(text) for one in known.get(used, [used])))
                    for name, text in expressions.items()
                }
            case Sql():
                made_by_query = True
            case _:
                made_by_query = made_by_query or "python" in step.model_fields_set
    bronze = f"bronze/{table.name}"
    # Undeclared columns have the name under which they landed, unless a query or a function made them.
    landed = {name: known.get(name, [] if made_by_query else [name]) for name in columns}
    return {name: [(bronze, source) for source in sources] for name, sources in landed.items()}


@lru_cache(maxsize=4096)
def columns_of(expression: str) -> tuple[str, ...]:
    """The columns that a SQL expression names, each once; none for one that sqlglot cannot parse."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        parsed = sqlglot.parse_one(expression, read="duckdb")
    except (SqlglotError, RecursionError):
        return ()
    return tuple(dict.fromkeys(column.name for column in parsed.find_all(exp.Column)))


@lru_cache(maxsize=1024)
def _traced(sql: str, schemas: tuple[tuple[str, tuple[str, ...]], ...]) -> Mapping[str, Sequence[Column]]:
    """The lineage of a query, cached: sqlglot takes up to a tenth of a second."""
    return lineage(sql, dict(schemas))
