"""Users, keys, sessions and the audit log, moved once from the history's SQLite file, where earlier releases kept them.

They are copied, compared, and then removed from the old file so that its bytes have no hash and no seed any more. Keys that
signed tokens are not taken over: whoever read the file has them. A move that was killed is done again by the next start.
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

#: By table its rows, each with every column of the table as it is today.
Rows = dict[sa.Table, list[dict[str, Any]]]

#: Seconds to wait for whoever else uses the file.
_PATIENCE = 30


def open_state(state: State) -> State:
    """The state, made where there is none, with what an earlier release kept beside the history moved into it.

    Raises ConfigError and PublishError as `State.made` does, and PublishError where something cannot be moved.
    """
    made = state.made()
    for path in state.earlier:
        move(path, made)
    return made


def move(path: Path, state: State) -> None:
    """Move what lies in this SQLite file, if anything; raises PublishError where that cannot be. Says in a line what was done."""
    if not _present(path) or sa.make_url(state.url).database == str(path):
        return
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": _PATIENCE}, poolclass=sa.NullPool)
    try:
        with engine.connect() as old:
            old.exec_driver_sql("PRAGMA secure_delete=ON")
            old.exec_driver_sql("BEGIN IMMEDIATE")  # whoever starts at the same time waits, and finds nothing
            rows = _read(old)
            place = _copied(rows, state) if any(rows.values()) else state.url
            for table in reversed(METADATA.sorted_tables):
                old.exec_driver_sql(f'DROP TABLE IF EXISTS "{table.name}"')
            old.commit()
        emptied = _wiped(path)
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        said = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise PublishError(f"{path}: wanted to move users and keys from there to {state.folder}, got: {said}") from None
    if any(rows.values()):
        _tell(path, rows, place, state, emptied=emptied)


def _present(path: Path) -> set[str]:
    """Which of our tables this file has; none where it is no database, which the history tells by itself."""
    if not path.is_file():
        return set()
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_PATIENCE)) as connection:
            there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error:
        return set()
    return there & set(METADATA.tables)


def _read(old: sa.Connection) -> Rows:
    inspector = sa.inspect(old)
    there = set(inspector.get_table_names())
    rows: Rows = {}
    for table in METADATA.sorted_tables:
        if table is SIGNING_KEYS or table.name not in there:
            continue
        known = {column["name"] for column in inspector.get_columns(table.name)}
        nothing = dict.fromkeys(column.name for column in table.columns)
        wanted = sa.select(*(column for column in table.columns if column.name in known))
        rows[table] = [nothing | dict(row) for row in old.execute(wanted).mappings()]
    return rows


def _copied(rows: Rows, state: State) -> str:
    """Copy the rows; gives the address to which. Where there are others already, it is a file of its own beside them."""
    engine = opened(state.url, "users")
    if not _is_same(engine, rows):
        if not _is_empty(engine):
            # Nobody knows which are meant: none is lost, and those of here go on being in force.
            url = f"sqlite:///{state.folder}/earlier-{datetime.now(UTC):%Y%m%dT%H%M%S}.db"
            engine = opened(url, "users")
        with engine.begin() as new:
            for table, those in rows.items():
                if those:
                    new.execute(table.insert(), those)
        if not _is_same(engine, rows):
            raise OSError("a copy that differs")
    return engine.url.render_as_string()


def _is_empty(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        return all(connection.execute(sa.select(table).limit(1)).first() is None for table in METADATA.sorted_tables)


def _is_same(engine: sa.Engine, rows: Rows) -> bool:
    with engine.connect() as connection:
        return all(
            _sorted(those) == _sorted([dict(row) for row in connection.execute(sa.select(table)).mappings()])
            for table, those in rows.items()
        )


def _sorted(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


def _wiped(path: Path) -> bool:
    """Write the file anew without what was removed; whether its journal is empty, too."""
    with closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as connection:
        connection.execute("VACUUM")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _tell(path: Path, rows: Rows, place: str, state: State, *, emptied: bool) -> None:
    counts = ", ".join(
        f"{len(rows.get(table, [])):,} {what}"
        for table, what in ((USERS, "users"), (KEYS, "API keys"), (AUDIT, "audit lines"))
    )
    said = f"dq: moved {counts} from {path} to {place}"
    if place != sa.make_url(state.url).render_as_string():
        said += f", since {state.folder} has others already: those go on, these let nobody in"
    if not emptied:
        said += "; another process still reads the old file: end it, so that its journal goes too"
    if path.exists() and path.stat().st_mode & 0o044:
        said += "; others could read the old file: set new passwords (`dq user password NAME`)"
    AuditLog(state).add(Event("", "state.move", str(path), "cli", more={"to": place, "moved": counts}))
    sys.stderr.write(f"{said}\n")
