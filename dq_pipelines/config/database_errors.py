"""Translates failures of a database (locked, full, read-only, damaged, unreachable) to one sentence with place and remedy.

Errors of a statement (a duplicate key, an unknown column) stay SQLAlchemy's own, for the calling code.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy as sa

from dq_pipelines.errors import PublishError, Unreached

#: The remedy for a damaged file.
FROM_COPY = (
    "move it away and put back a copy made by dq backup; without one, the next run begins anew and recovers the verdicts that "
    "commits hold"
)
#: The remedy by the primary code of SQLite's error.
_SQLITE_REMEDIES = {
    sqlite3.SQLITE_READONLY: "let this user write the file and its folder",
    sqlite3.SQLITE_PERM: "let this user write the file and its folder",
    sqlite3.SQLITE_FULL: "make room on its disk, and run again",
    sqlite3.SQLITE_IOERR: "look after its disk (room, quota, mount), and run again",
    sqlite3.SQLITE_CORRUPT: FROM_COPY,
    sqlite3.SQLITE_NOTADB: FROM_COPY,
    sqlite3.SQLITE_CANTOPEN: "let this user read and write the file and its folder",
}
_SQLITE_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)


def say_in_a_sentence(engine: sa.Engine, what: str) -> None:
    """Make this engine raise PublishError for failures of its database, or Unreached if a retry may succeed."""

    def handle(context: sa.engine.ExceptionContext) -> None:
        # The pool handles a failed ping: it opens another connection.
        if context.is_pre_ping:
            return
        failure = refusal(engine.url, what, context.original_exception, disconnected=context.is_disconnect)
        if failure is not None:
            raise failure from None

    sa.event.listen(engine, "handle_error", handle)


def refusal(
    url: sa.URL, what: str, error: BaseException, *, disconnected: bool = False
) -> PublishError | Unreached | None:
    """The error to raise for a driver's error; None if it is about the statement and not about the database."""
    place = f"{what} at {url.render_as_string()}"
    if isinstance(error, sqlite3.Error):
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code in _SQLITE_BUSY:
            return Unreached(
                f"{place}: wanted to read or write it, got: {error}; another process holds it: "
                f"end that one{_holders(url)}, and run again"
            )
        if code in _SQLITE_REMEDIES:
            return PublishError(f"{place}: wanted a database to write, got: {error}; {_SQLITE_REMEDIES[code]}")
        return None
    return _refused_by_server(place, error, disconnected=disconnected)


def _refused_by_server(place: str, error: BaseException, *, disconnected: bool) -> PublishError | Unreached | None:
    """The same for PostgreSQL, by the class of its SQLSTATE; an error without SQLSTATE concerns the connection."""
    state, line = (
        getattr(error, "sqlstate", None) or "",
        next(iter(str(error).strip().splitlines()), type(error).__name__),
    )
    message = f"{place}: wanted to read or write it, got: {line}"
    if state.startswith("53"):  # no room, no memory, too many connections
        return PublishError(f"{message}; make room at the server, and run again")
    if state.startswith("28") or state == "3D000":  # a wrong password, or no such database
        return PublishError(f"{message}; mend the URL, or give its user that database")
    if state == "25006":
        return PublishError(f"{message}; it is read-only: name a database that can be written")
    if state.startswith("XX"):
        return PublishError(f"{message}; it is damaged: restore it from a backup")
    if state.startswith(("08", "57P")) or disconnected or (not state and type(error).__name__ == "OperationalError"):
        return Unreached(f"{message}; start the server, or mend the way to it, and run again")
    return None


def _holders(url: sa.URL) -> str:
    """The other processes that have a SQLite file open, as far as this user may see them."""
    import os

    if not url.database:
        return ""
    target, pids = Path(url.database).absolute(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            names = {str(handle.readlink()) for handle in (process / "fd").iterdir()}
        except OSError:  # it has ended, or is another user's
            continue
        if str(target) in names and int(process.name) != os.getpid():
            pids.append(process.name)
    return f" (process {', '.join(sorted(pids, key=int)[:5])})" if pids else ""
