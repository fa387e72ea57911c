"""Checks whether the database of the history can be read and written, is intact, and has the current schema version."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from dq_pipelines.config.database_errors import FROM_COPY
from dq_pipelines.config.sqlite_files import sqlite_file
from dq_pipelines.doctor.findings import Finding
from dq_pipelines.doctor.installation import Installation
from dq_pipelines.errors import PublishError
from dq_pipelines.history.store.migrations import SCHEMA
from dq_pipelines.history.store.verdicts import History


def examine(installation: Installation) -> Iterator[Finding]:
    history = installation.stores.history
    path = sqlite_file(history.url)
    if path is not None:
        if not path.exists():
            return
        found = list(_file(history, path))
        yield from found
        if any(each.severity == "error" for each in found):
            return
    yield from _tables(history)


def _file(history: History, path: Path) -> Iterator[Finding]:
    if not path.is_file():
        yield Finding("error", str(path), "wanted the file of the history, got a folder", "move it away")
        return
    if path.stat().st_size == 0:
        said = "the history has 0 bytes: every verdict in it is lost"
        begun = partial(_begun_anew, history)
        yield Finding(
            "error", str(path), said, "put back a copy made by dq backup, or let verdicts be recovered", begun
        )
        return
    if problem := damage_of(path):
        yield Finding("error", str(path), f"the history is damaged: {problem}", FROM_COPY)


def _begun_anew(history: History) -> str:
    _ = history.engine
    return "made its tables anew; verdicts that commits hold are recovered next"


def damage_of(path: Path) -> str:
    """The damage that SQLite finds in a file; "" if it is intact. Opens it read-only."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            lines = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
    except sqlite3.Error as error:
        return str(error)
    return "" if lines == ["ok"] else lines[0].splitlines()[-1]


def _tables(history: History) -> Iterator[Finding]:
    place = history.url if "://" not in history.url else sa.make_url(history.url).render_as_string()
    try:
        version = _version(history.url)
        if version is not None and version < SCHEMA.version:
            said = f"its tables are of version {version}, this release's are of version {SCHEMA.version}"
            upgrade = partial(_upgraded, history)
            yield Finding("warning", place, said, "the next run brings them up to date, after a copy", upgrade)
            return
        _ = history.engine
        with history.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TEMPORARY TABLE dq_doctor_writes (one INTEGER)")
            connection.exec_driver_sql("DROP TABLE dq_doctor_writes")
    except PublishError as error:
        said = str(error).removeprefix(f"history at {place}: ")
        yield Finding("error", place, said, "no run can begin before that")


def _version(url: str) -> int | None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            return SCHEMA.found(connection)
    except sa.exc.SQLAlchemyError:  # opening the history's engine reports it
        return None
    finally:
        engine.dispose()


def _upgraded(history: History) -> str:
    _ = history.engine
    return f"brought its tables up to version {SCHEMA.version}"
