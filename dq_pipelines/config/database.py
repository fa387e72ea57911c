"""A database by its SQLAlchemy URL: SQLite in a file or PostgreSQL, opened in one way. What lies in it belongs to who asks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dq_pipelines.errors import PublishError


class Moment(sa.types.TypeDecorator[datetime]):
    """A moment: aware in Python, kept in UTC without a time zone, which SQLite does not know."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


#: Connections that a server keeps for each engine, and so many more while many ask at once.
_KEPT_OPEN, _MORE = 5, 20
_kept: list[bool] = []


def keep_connections() -> None:
    """Have this process keep connections to a database server open: one that answers requests would open several for each.

    A run opens few and may last for hours: it keeps none. Engines that there are already stay as they are.
    """
    _kept.append(True)


def database(url: str, metadata: sa.MetaData, what: str) -> sa.Engine:
    """The database with these tables in it, as they are today; raises PublishError where that cannot be.

    Columns that an earlier release's tables lack are added: they must be such as may be null.
    """
    parsed = sa.make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    try:
        if sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        if sqlite:
            engine = sa.create_engine(parsed, connect_args={"timeout": 30}, poolclass=sa.NullPool)
        elif _kept:
            engine = sa.create_engine(parsed, pool_size=_KEPT_OPEN, max_overflow=_MORE, pool_pre_ping=True)
        else:
            engine = sa.create_engine(parsed, poolclass=sa.NullPool)
        if sqlite:
            sa.event.listen(engine, "connect", _settle_sqlite)
        _make(engine, metadata)
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise PublishError(
            f"{what} at {parsed.render_as_string()}: wanted a database to write, got: {str(error).splitlines()[0]}"
        ) from None
    return engine


def _make(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """Make what lacks. Two processes that begin at once may both find that it lacks: the later one looks again."""
    for tries_left in (2, 1, 0):
        try:
            metadata.create_all(engine)
            _bring_up_to_date(engine, metadata)
        except (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.OperationalError):
            if not tries_left:
                raise
        else:
            return


def _bring_up_to_date(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """What a database lacks that an earlier release made: columns, which may be null, and indexes."""
    inspector = sa.inspect(engine)
    for table in metadata.tables.values():
        there = {column["name"] for column in inspector.get_columns(table.name)}
        indexed = {index["name"] for index in inspector.get_indexes(table.name)}
        with engine.begin() as connection:
            for column in (column for column in table.columns if column.name not in there):
                told = f"{column.name} {column.type.compile(engine.dialect)}"
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {told}")
            for index in (index for index in table.indexes if index.name not in indexed):
                index.create(connection)


def _settle_sqlite(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
