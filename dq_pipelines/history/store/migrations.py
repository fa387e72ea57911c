"""Migrates the history's database from earlier releases.

Every change of `schema` needs a migration here: a database with the current version is used unchanged.
"""

from __future__ import annotations

import sqlalchemy as sa

from dq_pipelines.config.schema_versions import Schema, add_what_lacks
from dq_pipelines.history.store.schema import ATTEMPTS, CHANGES, METADATA, VERDICTS


def _from_before_versions(connection: sa.Connection) -> None:
    """Before there were versions, releases only added tables, indexes and nullable columns."""
    add_what_lacks(connection, METADATA)


def _verdict_per_partition(connection: sa.Connection) -> None:
    """Allows one verdict per table, batch, run and partition. Version 1 had one per table, batch and run, and no remarks.

    A run may re-check the published rows of several partitions.
    """
    if connection.dialect.name == "sqlite":
        _without_constraints(connection, VERDICTS)
    else:
        connection.exec_driver_sql(f"ALTER TABLE {VERDICTS.name} DROP CONSTRAINT IF EXISTS dq_verdicts_once")
    add_what_lacks(connection, METADATA)


def _without_constraints(connection: sa.Connection, table: sa.Table) -> None:
    """Rebuilds a table, since SQLite cannot drop a constraint: https://sqlite.org/lang_altertable.html#otheralter.

    `Schema.prepare` turns foreign keys off during a migration; otherwise the rows that refer to the table would be
    deleted with it.
    """
    new = table.to_metadata(sa.MetaData(), name=f"{table.name}_new")
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    connection.execute(sa.schema.CreateTable(new))
    connection.exec_driver_sql(f"INSERT INTO {new.name} ({columns}) SELECT {columns} FROM {table.name}")  # noqa: S608
    connection.exec_driver_sql(f"DROP TABLE {table.name}")
    connection.exec_driver_sql(f"ALTER TABLE {new.name} RENAME TO {table.name}")


def _alerts_handled(connection: sa.Connection) -> None:
    """Version 2 did not know who has taken on an alert; `Schema.prepare` makes the new table."""
    add_what_lacks(connection, METADATA)


def _marked_changes(connection: sa.Connection) -> None:
    """Gives each table with a verdict or attempt a mark. Version 3 had no marks of changes."""
    add_what_lacks(connection, METADATA)
    tables = sa.union(sa.select(VERDICTS.c.table), sa.select(ATTEMPTS.c.table))
    marks = [{"table": table, "mark": "version 4"} for table in connection.execute(tables).scalars()]
    connection.execute(CHANGES.delete())
    if marks:
        connection.execute(CHANGES.insert(), marks)


SCHEMA = Schema("history", METADATA, (_from_before_versions, _verdict_per_partition, _alerts_handled, _marked_changes))
