"""Opens the database of users, keys and the audit log, and migrates the tables of earlier releases.

A change of a table in `store` needs a migration here: a database of today's version is taken as it is.
"""

from __future__ import annotations

import sqlalchemy as sa

from dq_pipelines.config.database import database
from dq_pipelines.config.private import private_file, private_folder
from dq_pipelines.config.schema_versions import Schema, add_what_lacks
from dq_pipelines.config.sqlite_files import sqlite_file
from dq_pipelines.errors import PublishError
from dq_pipelines.security.store import METADATA, USERS


def _from_before_versions(connection: sa.Connection) -> None:
    """Releases before schema versions only added tables, indexes and nullable columns."""
    add_what_lacks(connection, METADATA)


def _without_locks(connection: sa.Connection) -> None:
    """Drop the columns that locked a user after wrong passwords; a separate table counts them since, and locks nobody out."""
    columns = {column["name"] for column in sa.inspect(connection).get_columns(USERS.name)}
    for name in sorted(columns & {"failures", "locked_until"}):
        connection.exec_driver_sql(f"ALTER TABLE {USERS.name} DROP COLUMN {name}")


SCHEMA = Schema("users", METADATA, (_from_before_versions, _without_locks))


def opened(url: str, what: str) -> sa.Engine:
    """The database with these tables; its file, where it is SQLite, has mode 0600. Raises PublishError.

    SQLite gives its journals the mode of the database. Tables of earlier releases become today's.
    """
    if (path := sqlite_file(url)) is not None:
        try:
            private_folder(path.parent)
            private_file(path)
        except OSError as error:
            raise PublishError(f"{what} at {url}: wanted a file to write, got: {error.strerror}") from None
    return database(url, METADATA, what, SCHEMA.prepare)
