"""Stores a change mark per table, which differs after each write about the table: readers cache what they read until then."""

from __future__ import annotations

from collections.abc import Collection
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dq_pipelines.history.store.schema import CHANGES


def mark_changed(connection: sa.Connection, tables: Collection[str]) -> None:
    """Gives these tables new marks, within the transaction that writes about them.

    Marks are random and not counted, so that a restored copy of a database has no mark that stood for something else.
    """
    if not tables:
        return
    # In one order, so that two writers of several tables do not wait for each other.
    upsert(connection, CHANGES, [{"table": table, "mark": uuid4().hex} for table in sorted(set(tables))])


def upsert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, str]]) -> None:
    """Inserts rows; a row replaces the one with the same primary key."""
    names = [column.name for column in table.columns if not column.primary_key]
    if connection.dialect.name == "postgresql":
        insert = postgresql.insert(table)
        new = {name: insert.excluded[name] for name in names}
        connection.execute(insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=new), rows)
    else:
        into = sqlite.insert(table)
        new = {name: into.excluded[name] for name in names}
        connection.execute(into.on_conflict_do_update(index_elements=list(table.primary_key), set_=new), rows)
