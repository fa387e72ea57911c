"""Tracks the schema versions of a database's tables: migrates older ones, and refuses newer ones."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from dq_pipelines.config.private import private_file
from dq_pipelines.config.sqlite_files import sqlite_file
from dq_pipelines.errors import PublishError

#: One row per store, since several stores may share a PostgreSQL database.
_VERSIONS = sa.Table(
    "dq_schema_versions",
    sa.MetaData(),
    sa.Column("store", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
#: The key of the PostgreSQL advisory lock that a migrating process holds, so that only one of several migrates.
_LOCK = 0x6471_7363


@dataclass(frozen=True)
class Schema:
    """The tables of one store, and their migrations."""

    #: its name in messages
    store: str
    metadata: sa.MetaData
    #: the first migrates tables without a version to version 1, the second to version 2, and so on
    migrations: tuple[Callable[[sa.Connection], None], ...]

    @property
    def version(self) -> int:
        """The current version."""
        return len(self.migrations)

    def prepare(self, engine: sa.Engine) -> None:
        """Create or migrate the tables in one transaction; first copies a SQLite file.

        Raises PublishError for tables of a newer release.
        """
        with engine.connect() as connection:
            found = self.found(connection)
        if found == self.version:
            return
        if found is not None and found > self.version:
            raise PublishError(
                f"{self.store} at {engine.url.render_as_string()}: wanted tables of version {self.version} or older, got "
                f"version {found} of a newer dq_pipelines; nothing was changed: install that release, or put back the "
                f"copy that was made before its upgrade ({_copy(engine.url, found).name})"
            )
        with engine.connect() as connection:
            connection.detach()  # its settings below must not affect other uses of a pooled connection
            _begin_exclusive(connection)
            now = self.found(connection)
            if now != self.version:  # else another process has migrated meanwhile
                if now is not None:
                    _keep_copy(engine.url, self.version)  # this transaction does not block readers
                self.metadata.create_all(connection)
                for migrate in self.migrations[now:] if now is not None else ():
                    migrate(connection)
                _VERSIONS.create(connection, checkfirst=True)
                connection.execute(_VERSIONS.delete().where(_VERSIONS.c.store == self.store))
                connection.execute(_VERSIONS.insert().values(store=self.store, version=self.version))
            connection.commit()

    def found(self, connection: sa.Connection) -> int | None:
        """The version of the existing tables; 0 for tables from before versions, None without tables."""
        inspector = sa.inspect(connection)
        if inspector.has_table(_VERSIONS.name):
            wanted = sa.select(_VERSIONS.c.version).where(_VERSIONS.c.store == self.store)
            if (version := connection.execute(wanted).scalar()) is not None:
                return int(version)
        tables = set(inspector.get_table_names())
        return 0 if tables & set(self.metadata.tables) else None


def _begin_exclusive(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        # A migration that recreates a table drops it first, which must not delete the rows that refer to it. SQLite
        # ignores this setting within a transaction.
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        # Python's sqlite3 begins no transaction for DDL, so tables would be created outside of one.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _copy(url: sa.URL, version: int) -> Path:
    """The path of the copy made before the migration to this version."""
    path = Path(url.database or "")
    return path.with_name(f"{path.name}.before-version-{version}")


def _keep_copy(url: sa.URL, version: int) -> None:
    if (path := sqlite_file(url)) is None:
        return
    target = _copy(url, version)
    new = target.with_name(f"{target.name}.new")
    new.unlink(missing_ok=True)
    private_file(new)  # the copy must not be more readable than the original
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(new)) as copy:
        source.backup(copy)
    new.chmod(stat.S_IMODE(path.stat().st_mode))
    new.replace(target)


def add_what_lacks(connection: sa.Connection, metadata: sa.MetaData) -> None:
    """Add nullable columns and indexes that tables of an earlier release lack."""
    inspector = sa.inspect(connection)
    for table in metadata.tables.values():
        existing = {column["name"] for column in inspector.get_columns(table.name)}
        indexed = {index["name"] for index in inspector.get_indexes(table.name)}
        for column in (column for column in table.columns if column.name not in existing):
            definition = f"{column.name} {column.type.compile(connection.dialect)}"
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")
        for index in (index for index in table.indexes if index.name not in indexed):
            index.create(connection)
