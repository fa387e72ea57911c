"""How the history's tables of earlier releases become today's. What today's are is said in `schema`.

Whoever changes `schema` adds a migration here: a database that has today's version is taken as it is.
"""

from __future__ import annotations

import sqlalchemy as sa

from dq_pipelines.config.schema_versions import Schema, add_what_lacks
from dq_pipelines.history.store.schema import METADATA, VERDICTS


def _from_before_versions(connection: sa.Connection) -> None:
    """Until there were versions, releases only added tables, indexes and columns that may be null."""
    add_what_lacks(connection, METADATA)


def _a_verdict_of_each_partition(connection: sa.Connection) -> None:
    """Version 1 held one verdict of a table, batch and run: a run may judge the published rows of several partitions.

    It had no remarks on what was observed either.
    """
    if connection.dialect.name == "sqlite":
        _without_constraints(connection, VERDICTS)
    else:
        connection.exec_driver_sql(f"ALTER TABLE {VERDICTS.name} DROP CONSTRAINT IF EXISTS dq_verdicts_once")
    add_what_lacks(connection, METADATA)


def _without_constraints(connection: sa.Connection, table: sa.Table) -> None:
    """Make a table of SQLite's anew, which cannot drop a constraint: https://sqlite.org/lang_altertable.html#otheralter.

    Foreign keys are not looked at meanwhile (`Schema.prepare`): else the rows that refer to the table would go with it.
    """
    new = table.to_metadata(sa.MetaData(), name=f"{table.name}_new")
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    connection.execute(sa.schema.CreateTable(new))
    connection.exec_driver_sql(f"INSERT INTO {new.name} ({columns}) SELECT {columns} FROM {table.name}")  # noqa: S608
    connection.exec_driver_sql(f"DROP TABLE {table.name}")
    connection.exec_driver_sql(f"ALTER TABLE {new.name} RENAME TO {table.name}")


SCHEMA = Schema("history", METADATA, (_from_before_versions, _a_verdict_of_each_partition))
