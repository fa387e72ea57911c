"""Versions of a database's tables: an older one is brought up to date once, a newer one is refused. What tables there are
belongs to who keeps them.
"""

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

#: Several stores may share a database (PostgreSQL by one URL), so a number for the whole of it, as SQLite has, is too few.
_VERSIONS = sa.Table(
    "dq_schema_versions",
    sa.MetaData(),
    sa.Column("store", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
#: Of PostgreSQL's advisory locks: who brings tables up to date holds it, so that two that begin at once do it once.
_LOCK = 0x6471_7363


@dataclass(frozen=True)
class Schema:
    """The tables of one store, and how those of earlier releases become today's."""

    #: what it is called in sentences
    store: str
    metadata: sa.MetaData
    #: the first makes version 1 of what has no version, the second version 2 of it, and so on
    migrations: tuple[Callable[[sa.Connection], None], ...]

    @property
    def version(self) -> int:
        """Today's."""
        return len(self.migrations)

    def prepare(self, engine: sa.Engine) -> None:
        """Make the tables, or bring them up to date: in one transaction, and a SQLite file is copied before.

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
            connection.detach()  # what is set of it is of no other use of it
            _begin_alone(connection)
            now = self.found(connection)
            if now != self.version:  # else another process was quicker
                if now is not None:
                    _keep_copy(engine.url, self.version)  # who only reads is let in beside this transaction
                self.metadata.create_all(connection)
                for migrate in self.migrations[now:] if now is not None else ():
                    migrate(connection)
                _VERSIONS.create(connection, checkfirst=True)
                connection.execute(_VERSIONS.delete().where(_VERSIONS.c.store == self.store))
                connection.execute(_VERSIONS.insert().values(store=self.store, version=self.version))
            connection.commit()

    def found(self, connection: sa.Connection) -> int | None:
        """The version of the tables that are there; 0 for tables from before versions, None where there are none."""
        inspector = sa.inspect(connection)
        if inspector.has_table(_VERSIONS.name):
            wanted = sa.select(_VERSIONS.c.version).where(_VERSIONS.c.store == self.store)
            if (version := connection.execute(wanted).scalar()) is not None:
                return int(version)
        there = set(inspector.get_table_names())
        return 0 if there & set(self.metadata.tables) else None


def _begin_alone(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        # A table that is made anew is dropped for a moment, and the rows that refer to it are to stay. In a transaction
        # SQLite does not hear of this.
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        # Python's sqlite3 begins no transaction before it meets data: tables would be made outside of one.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _copy(url: sa.URL, version: int) -> Path:
    """Where the copy lies that was made before the tables became this version."""
    path = Path(url.database or "")
    return path.with_name(f"{path.name}.before-version-{version}")


def _keep_copy(url: sa.URL, version: int) -> None:
    if (path := sqlite_file(url)) is None:
        return
    target = _copy(url, version)
    new = target.with_name(f"{target.name}.new")
    new.unlink(missing_ok=True)
    private_file(new)  # nobody reads the copy who may not read what is copied
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(new)) as copy:
        source.backup(copy)
    new.chmod(stat.S_IMODE(path.stat().st_mode))
    new.replace(target)


def add_what_lacks(connection: sa.Connection, metadata: sa.MetaData) -> None:
    """Add columns, which may be null, and indexes that an earlier release's tables lack."""
    inspector = sa.inspect(connection)
    for table in metadata.tables.values():
        there = {column["name"] for column in inspector.get_columns(table.name)}
        indexed = {index["name"] for index in inspector.get_indexes(table.name)}
        for column in (column for column in table.columns if column.name not in there):
            told = f"{column.name} {column.type.compile(connection.dialect)}"
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {told}")
        for index in (index for index in table.indexes if index.name not in indexed):
            index.create(connection)
