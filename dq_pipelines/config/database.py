"""A database by its SQLAlchemy URL: SQLite in a file or PostgreSQL, opened in one way. What lies in it belongs to who asks."""

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


#: Seconds for which SQLite waits for another process that writes.
_PATIENCE = 30.0

#: Makes a database as it is to be, with its tables.
Preparation = Callable[[sa.Engine], None]


def database(url: str, metadata: sa.MetaData, what: str, prepare: Preparation | None = None) -> sa.Engine:
    """The database with these tables in it, as they are today; raises PublishError where that cannot be.

    Columns that an earlier release's tables lack are added: they must be such as may be null. Whose tables have versions
    says how they are made in `prepare`. What the database itself refuses later (it is locked, full, read-only, damaged)
    is PublishError too, or Unreached where the next try may go well.
    """
    parsed = sa.make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    try:
        if sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        if sqlite:
            engine = sa.create_engine(parsed, connect_args={"timeout": _PATIENCE}, poolclass=sa.NullPool)
        elif _kept:
            engine = sa.create_engine(parsed, pool_size=_KEPT_OPEN, max_overflow=_MORE, pool_pre_ping=True)
        else:
            engine = sa.create_engine(parsed, poolclass=sa.NullPool)
        if sqlite:
            sa.event.listen(engine, "connect", _settle_sqlite)
        say_in_a_sentence(engine, what)
        _make(engine, prepare or (lambda engine: _make_tables(engine, metadata)))
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise PublishError(
            f"{what} at {parsed.render_as_string()}: wanted a database to write, got: {str(error).splitlines()[0]}"
        ) from None
    return engine


def _make(engine: sa.Engine, prepare: Preparation) -> None:
    """Make what lacks. Two processes that begin at once may both find that it lacks: the later one looks again."""
    begun = time.monotonic()
    for tries_left in (2, 1, 0):
        try:
            prepare(engine)
        except (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.OperationalError, Unreached):
            if not tries_left or time.monotonic() - begun > _PATIENCE / 2:
                raise
        else:
            return


def _make_tables(engine: sa.Engine, metadata: sa.MetaData) -> None:
    metadata.create_all(engine)
    with engine.begin() as connection:
        add_what_lacks(connection, metadata)


def _settle_sqlite(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
