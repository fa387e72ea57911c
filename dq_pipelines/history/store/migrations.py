"""Migrates the history's database from earlier releases.

Every change of `schema` needs a migration here: a database with the current version is used unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from dq_pipelines.config.schema_versions import Schema, add_what_lacks
from dq_pipelines.history.store.schema import ALERTS, ATTEMPTS, CHANGES, METADATA, RESULTS, VERDICTS
from dq_pipelines.rules.core.check_names import current_name, renamed


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


#: Earlier names of checks with those of today.
_RENAMED = sa.Table(
    "dq_renamed_checks",
    sa.MetaData(),
    sa.Column("table", sa.String(255), primary_key=True),
    sa.Column("earlier", sa.String(255), primary_key=True),
    sa.Column("rule", sa.String(255), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    prefixes=["TEMPORARY"],
)


def _columns_first(connection: sa.Connection) -> None:
    """Gives results and alerts the names that checks have now. Up to version 4 they began with the rule's type."""
    of = sa.select(VERDICTS.c.table, RESULTS.c.check, RESULTS.c.rule, RESULTS.c.column).distinct()
    found = connection.execute(of.join_from(VERDICTS, RESULTS)).all()
    rows = {(each.table, each.check, each.rule): current_name(each.check, each.rule, each.column) for each in found}
    changed = {key: name for key, name in rows.items() if name != key[1]}
    if changed:
        _RENAMED.create(connection)
        values = [dict(zip(("table", "earlier", "rule"), key, strict=True), name=name) for key, name in changed.items()]
        connection.execute(_RENAMED.insert(), values)
        same = (_RENAMED.c.earlier == RESULTS.c.check) & (_RENAMED.c.rule == RESULTS.c.rule)
        name = sa.select(_RENAMED.c.name).join_from(_RENAMED, VERDICTS, _RENAMED.c.table == VERDICTS.c.table)
        name = name.where(VERDICTS.c.id == RESULTS.c.verdict_id, same).correlate(RESULTS)
        connection.execute(RESULTS.update().where(name.exists()).values(check=name.scalar_subquery()))
        _RENAMED.drop(connection)
    _rename_alerts(connection, {(table, earlier): name for (table, earlier, _), name in changed.items()})


def _rename_alerts(connection: sa.Connection, known: Mapping[tuple[str, str], str]) -> None:
    """Renames the checks of alerts, so that an open one is closed when its check passes."""
    for number, about, name in connection.execute(sa.select(ALERTS.c.number, ALERTS.c.about, ALERTS.c.name)).all():
        now = known.get((about, name)) or renamed(name)
        if now != name:
            connection.execute(ALERTS.update().where(ALERTS.c.number == number).values(name=now))


SCHEMA = Schema(
    "history",
    METADATA,
    (_from_before_versions, _verdict_per_partition, _alerts_handled, _marked_changes, _columns_first),
)
