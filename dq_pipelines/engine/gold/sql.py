"""SQL over published tables, run by DuckDB and streamed to a Parquet file: gold's queries.

A query runs in a thread of its own, so that an interrupt of the run reaches DuckDB within moments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dq_pipelines.config.sql_text import identifier, literal
from dq_pipelines.config.stores import error_text, is_disk_full
from dq_pipelines.engine.gold.names import must_be_publishable
from dq_pipelines.engine.gold.types import MISFIT, published
from dq_pipelines.engine.interrupt import interruptibly, meanwhile
from dq_pipelines.errors import PublishError, RuleError

if TYPE_CHECKING:
    import duckdb


def query_to_parquet(
    sql: str, tables: Mapping[str, Any], target: Path, share: Callable[[float], None] = lambda _: None
) -> None:
    """Run `sql` over `tables` and write its rows to `target`, a Parquet file.

    `tables` are anything that DuckDB registers, by `<layer>/<table>`; in SQL they are `<layer>.<table>`. `share` is called
    while the query runs, with the percentage that DuckDB estimates as done, below 0 when it has no estimate.

    Raises RuleError when the query does not run, or gives what gold cannot hold exactly; PublishError when there is no room.
    """
    import duckdb

    connection = duckdb.connect()
    try:
        # Days, hours and texts of moments are those of UTC, on every machine.
        connection.execute("SET TimeZone = 'UTC'")
        # A query may read the project's tables and nothing else: no file, no address.
        connection.execute("SET allowed_directories = [?]", [f"{target.parent}/"])
        # DuckDB spills to the folder of the result, and not to the working directory.
        connection.execute("SET temp_directory = ?", [f"{target.parent}/.spilled"])
        connection.execute("SET enable_external_access = false")
        for number, (key, table) in enumerate(tables.items()):
            layer, name = key.split("/")
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{layer}"')
            connection.register(f"_table_{number}", table)
            view = f'CREATE VIEW "{layer}"."{name}" AS SELECT * FROM _table_{number}'  # noqa: S608 - checked names
            connection.execute(view)
        copy = (
            f"COPY ({_publishable(connection, _one_query(connection, sql))}) TO {literal(str(target))} (FORMAT parquet)"
        )
        connection.execute("SET enable_progress_bar = true")
        connection.execute("SET enable_progress_bar_print = false")
        with meanwhile(lambda: share(connection.query_progress())):
            interruptibly(lambda: connection.execute(copy), connection.interrupt)
    except duckdb.Error as error:
        if is_disk_full(error):
            raise PublishError(
                f"{target.parent}: wanted room for what the query puts aside, got: {error_text(error)}"
            ) from None
        raise RuleError(_said(error)) from None
    finally:
        connection.close()


def _one_query(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The query without the semicolon at its end and the comments after it; raises RuleError unless there is one query."""
    from sqlglot.tokens import Tokenizer

    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise RuleError(f"gold sql: wanted one SELECT, got {len(statements)} statements")
    # A PIVOT within a query makes several of it.
    if statements[0].type.name not in ("SELECT", "MULTI"):
        raise RuleError(f"gold sql: wanted one SELECT, got {statements[0].type.name}")
    end = next(
        (token.start for token in Tokenizer(dialect="duckdb").tokenize(sql) if token.token_type.name == "SEMICOLON"),
        None,
    )
    return sql[:end]


def relation_to_parquet(relation: duckdb.DuckDBPyRelation, target: Path, place: str) -> None:
    """Write the rows of a relation to `target`; raises RuleError as `query_to_parquet` does."""
    import duckdb

    must_be_publishable(place, relation.columns)
    try:
        columns = _columns(relation, [identifier(name) for name in relation.columns])
        relation.project(columns).write_parquet(str(target))
    except duckdb.Error as error:
        if is_disk_full(error):
            raise
        raise RuleError(f"{place}: {_said(error)}") from None


def _publishable(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """The query with each column in a type that gold has; raises RuleError where a column has no such type, or no such name.

    Columns are addressed by their places: a name may occur twice, and would mean the first of both.
    """
    result = connection.sql(query)
    must_be_publishable("gold sql", result.columns)
    places = [f"c{number}" for number in range(len(result.columns))]
    return f"SELECT {_columns(result, places)} FROM ({query}\n) AS result({', '.join(places)})"  # noqa: S608 - the YAML's query


def _columns(result: duckdb.DuckDBPyRelation, places: Sequence[str]) -> str:
    return ", ".join(
        f"{published(name, kind, place)} AS {identifier(name)}"
        for name, kind, place in zip(result.columns, result.types, places, strict=True)
    )


def _said(error: duckdb.Error) -> str:
    misfit = str(error).partition(MISFIT)[2]
    return f"gold sql: {' '.join(misfit.split())}" if misfit else f"gold sql does not run: {str(error).splitlines()[0]}"
