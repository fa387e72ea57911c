"""Opens databases by SQLAlchemy URL: SQLite files or PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dq_pipelines.config.database_errors import say_in_a_sentence
from dq_pipelines.config.schema_versions import add_what_lacks
from dq_pipelines.errors import PublishError, Unreached


class Moment(sa.types.TypeDecorator[datetime]):
    """A moment: time-zone-aware in Python, stored in UTC without a time zone, since SQLite has none."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


#: The pool size of each engine in a server, and the overflow under load.
_POOL_SIZE, _OVERFLOW = 5, 20
_pooled: list[bool] = []


def keep_connections() -> None:
    """Pool connections in engines that this process creates from now on: a server would open several for each request.

    Runs do not call this: they open few connections and may last for hours.
    """
    _pooled.append(True)


#: Seconds that SQLite waits for another writer.
_BUSY_TIMEOUT = 30.0

#: Creates or migrates the tables of a database.
Preparation = Callable[[sa.Engine], None]


def database(url: str, metadata: sa.MetaData, what: str, prepare: Preparation | None = None) -> sa.Engine:
    """Open the database and create or upgrade these tables; raises PublishError on failure.

    By default this adds missing columns, which must be nullable. Pass `prepare` for tables with migrations. Later failures
    of the database (locked, full, read-only, damaged) raise PublishError too, or Unreached if a retry may succeed.
    """
    parsed = sa.make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    try:
        if sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        if sqlite:
            engine = sa.create_engine(parsed, connect_args={"timeout": _BUSY_TIMEOUT}, poolclass=sa.NullPool)
        elif _pooled:
            engine = sa.create_engine(parsed, pool_size=_POOL_SIZE, max_overflow=_OVERFLOW, pool_pre_ping=True)
        else:
            engine = sa.create_engine(parsed, poolclass=sa.NullPool)
        if sqlite:
            sa.event.listen(engine, "connect", _configure_sqlite)
        say_in_a_sentence(engine, what)
        _make(engine, prepare or (lambda engine: _make_tables(engine, metadata)))
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise PublishError(
            f"{what} at {parsed.render_as_string()}: wanted a database to write, got: {str(error).splitlines()[0]}"
        ) from None
    return engine


def _make(engine: sa.Engine, prepare: Preparation) -> None:
    """Create what is missing. If two processes start at once, the later one fails and tries again."""
    begun = time.monotonic()
    for tries_left in (2, 1, 0):
        try:
            prepare(engine)
        except (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.OperationalError, Unreached):
            if not tries_left or time.monotonic() - begun > _BUSY_TIMEOUT / 2:
                raise
        else:
            return


def _make_tables(engine: sa.Engine, metadata: sa.MetaData) -> None:
    metadata.create_all(engine)
    with engine.begin() as connection:
        add_what_lacks(connection, metadata)


def _configure_sqlite(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
