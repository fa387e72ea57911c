"""Moves users, keys, sessions and the audit log out of the history's SQLite file, where earlier releases kept them.

The rows are copied, compared, and then removed from the old file, so that its bytes hold no hashes and seeds. Keys that
signed tokens are not moved: anyone who read the file has them. The next start repeats a move that was killed.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dq_pipelines.errors import PublishError
from dq_pipelines.security.audit import AuditLog, Event
from dq_pipelines.security.database import opened
from dq_pipelines.security.state import State
from dq_pipelines.security.store import AUDIT, KEYS, METADATA, SIGNING_KEYS, USERS

#: Rows by table, each with every column of the current table.
Rows = dict[sa.Table, list[dict[str, Any]]]

#: Seconds to wait for another process that uses the file.
_PATIENCE = 30


def open_state(state: State) -> State:
    """The state, created if it does not exist, with the tables of an earlier release moved into it.

    Raises ConfigError and PublishError as `State.made` does, and PublishError where something cannot be moved.
    """
    made = state.made()
    for path in state.earlier:
        move(path, made)
    return made


def move(path: Path, state: State) -> None:
    """Move our tables out of this SQLite file, and report it in one line; raises PublishError on failure."""
    if not _present(path) or sa.make_url(state.url).database == str(path):
        return
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": _PATIENCE}, poolclass=sa.NullPool)
    try:
        with engine.connect() as old:
            old.exec_driver_sql("PRAGMA secure_delete=ON")
            old.exec_driver_sql("BEGIN IMMEDIATE")  # a concurrent start waits, and then finds nothing
            rows = _read(old)
            place = _copy(rows, state) if any(rows.values()) else state.url
            for table in reversed(METADATA.sorted_tables):
                old.exec_driver_sql(f'DROP TABLE IF EXISTS "{table.name}"')
            old.commit()
        emptied = _vacuum(path)
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        why = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise PublishError(f"{path}: wanted to move users and keys from there to {state.folder}, got: {why}") from None
    if any(rows.values()):
        _report(path, rows, place, state, emptied=emptied)


def _present(path: Path) -> set[str]:
    """Which of our tables this file has; none if it is no database, which the history reports."""
    if not path.is_file():
        return set()
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_PATIENCE)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error:
        return set()
    return tables & set(METADATA.tables)


def _read(old: sa.Connection) -> Rows:
    inspector = sa.inspect(old)
    existing = set(inspector.get_table_names())
    rows: Rows = {}
    for table in METADATA.sorted_tables:
        if table is SIGNING_KEYS or table.name not in existing:
            continue
        known = {column["name"] for column in inspector.get_columns(table.name)}
        nothing = dict.fromkeys(column.name for column in table.columns)
        wanted = sa.select(*(column for column in table.columns if column.name in known))
        rows[table] = [nothing | dict(row) for row in old.execute(wanted).mappings()]
    return rows


def _copy(rows: Rows, state: State) -> str:
    """Copy the rows; returns the URL of the database. If the state has other rows already, it is a separate file."""
    engine = opened(state.url, "users")
    if not _is_same(engine, rows):
        if not _is_empty(engine):
            # It is unknown which are meant: none is lost, and the rows of the state stay valid.
            url = f"sqlite:///{state.folder}/earlier-{datetime.now(UTC):%Y%m%dT%H%M%S}.db"
            engine = opened(url, "users")
        with engine.begin() as new:
            for table, table_rows in rows.items():
                if table_rows:
                    new.execute(table.insert(), table_rows)
        if not _is_same(engine, rows):
            raise OSError("a copy that differs")
    return engine.url.render_as_string()


def _is_empty(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        return all(connection.execute(sa.select(table).limit(1)).first() is None for table in METADATA.sorted_tables)


def _is_same(engine: sa.Engine, rows: Rows) -> bool:
    with engine.connect() as connection:
        return all(
            _sorted(table_rows) == _sorted([dict(row) for row in connection.execute(sa.select(table)).mappings()])
            for table, table_rows in rows.items()
        )


def _sorted(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


def _vacuum(path: Path) -> bool:
    """Rewrite the file without the removed rows; returns whether its journal is empty too."""
    with closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as connection:
        connection.execute("VACUUM")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _report(path: Path, rows: Rows, place: str, state: State, *, emptied: bool) -> None:
    counts = ", ".join(
        f"{len(rows.get(table, [])):,} {what}"
        for table, what in ((USERS, "users"), (KEYS, "API keys"), (AUDIT, "audit lines"))
    )
    message = f"dq: moved {counts} from {path} to {place}"
    if place != sa.make_url(state.url).render_as_string():
        message += f", since {state.folder} has others already: those stay valid, these are not used"
    if not emptied:
        message += "; another process still reads the old file: end it, so that its journal is removed too"
    if path.exists() and path.stat().st_mode & 0o044:
        message += "; others could read the old file: set new passwords (`dq user password NAME`)"
    AuditLog(state).add(Event("", "state.move", str(path), "cli", more={"to": place, "moved": counts}))
    sys.stderr.write(f"{message}\n")
