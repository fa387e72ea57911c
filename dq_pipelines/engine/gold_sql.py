"""SQL over published tables, run by DuckDB and streamed to a Parquet file: gold's queries.

A query runs in a thread of its own, so that an interrupt of the run reaches DuckDB within moments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dq_pipelines.config.stores import is_full, said
from dq_pipelines.engine.interrupt import interruptibly, meanwhile
from dq_pipelines.errors import PublishError, RuleError

if TYPE_CHECKING:
    from deltalake import DeltaTable

#: What DuckDB's sums and functions give and Delta does not have, and what it becomes.
_CASTS = {"HUGEINT": "BIGINT", "UHUGEINT": "BIGINT", "UUID": "VARCHAR", "INTERVAL": "VARCHAR", "TIME": "VARCHAR"}


def query_to_parquet(
    sql: str, tables: Mapping[str, DeltaTable], target: Path, share: Callable[[float], None] = lambda _: None
) -> None:
    """Run `sql` over `tables` (by `<layer>/<table>`, in SQL `<layer>.<table>`) and write its rows to `target`.

    `share` is told, while the query runs, what part of it DuckDB believes to be done, in percent; below 0 when it cannot tell.
    Raises RuleError when the query does not run.
    """
    import duckdb

    connection = duckdb.connect()
    try:
        # A query may read the project's tables and nothing else: no file, no address.
        connection.execute("SET allowed_directories = [?]", [f"{target.parent}/"])
        # What does not fit into memory is put aside beside the rows that come of it, and not in the folder one works in.
        connection.execute("SET temp_directory = ?", [f"{target.parent}/.spilled"])
        connection.execute("SET enable_external_access = false")
        for number, (key, table) in enumerate(tables.items()):
            layer, name = key.split("/")
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{layer}"')
            connection.register(f"_delta_{number}", table.to_pyarrow_dataset())
            view = f'CREATE VIEW "{layer}"."{name}" AS SELECT * FROM _delta_{number}'  # noqa: S608 - checked names
            connection.execute(view)
        query = sql.strip().rstrip(";")
        described = connection.execute(f"DESCRIBE {query}").fetchall()
        columns = ", ".join(_column(name, kind) for name, kind, *_ in described)
        place = str(target).replace("'", "''")
        copy = f"COPY (SELECT {columns} FROM ({query})) TO '{place}' (FORMAT parquet)"  # noqa: S608 - the YAML's query
        connection.execute("SET enable_progress_bar = true")
        connection.execute("SET enable_progress_bar_print = false")
        with meanwhile(lambda: share(connection.query_progress())):
            interruptibly(lambda: connection.execute(copy), connection.interrupt)
    except duckdb.Error as error:
        if is_full(error):
            raise PublishError(
                f"{target.parent}: wanted room for what the query puts aside, got: {said(error)}"
            ) from None
        raise RuleError(f"gold sql does not run: {str(error).splitlines()[0]}") from None
    finally:
        connection.close()


def _column(name: str, kind: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    return f"CAST({quoted} AS {_CASTS[kind]}) AS {quoted}" if kind in _CASTS else quoted
