"""Databases that are a file: its path in a URL, when it has changed, and what sessions in one share."""

from __future__ import annotations

import abc
import shutil
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from dq_pipelines.databases.connections import place_of
from dq_pipelines.databases.session import Session
from dq_pipelines.errors import SourceError, Transient, nearest

#: A clock for files may tick every 10 ms only.
_TICK_NS = 50_000_000


def path_of(url: str) -> Path:
    """The absolute path of a URL such as `sqlite:///shop.db`, or `sqlite:////data/shop.db`. Raises SourceError for another form."""
    parts = urlsplit(url)
    path = url.partition(":///")[2].partition("?")[0]
    if parts.netloc or not path or "\x00" in path:
        kind = parts.scheme.partition("+")[0]
        raise SourceError(f"{place_of(url)}: wanted {kind}:///path of a file, got none")
    return Path(path).absolute()


def existing(path: Path, place: str) -> Path:
    """The path of a file that there is. Raises SourceError."""
    if not path.is_file():
        raise SourceError(f"{place}: wanted a file of a database, found {'a folder' if path.is_dir() else 'none'}")
    return path


def change_number(files: Sequence[Path]) -> int:
    """The time of the last change of any of these files, in nanoseconds: asked before what lies in them is read.

    While they change at this moment, it is one less, so that a change at the same time by the clock has another number.
    """
    newest = _newest(files)
    if time.time_ns() - newest < _TICK_NS:
        time.sleep(_TICK_NS / 1e9)
        newest = _newest(files)
    return newest if time.time_ns() - newest >= _TICK_NS else newest - 1


def _newest(files: Sequence[Path]) -> int:
    return max((file.stat().st_mtime_ns for file in files if file.exists()), default=0)


class FileSession(Session, abc.ABC):
    """A session in a database that is a file, or in a copy of it, by one connection that does one thing at a time."""

    #: the errors of its library
    library_errors: ClassVar[tuple[type[Exception], ...]]
    #: words in those after which a later try may succeed
    temporary: ClassVar[tuple[str, ...]]

    #: the open connection, and `change_number` of the file before it was opened
    _connection: Any
    _number: int

    def __init__(self, place: str) -> None:
        self._place = place
        self._lock = threading.RLock()

    def _end_with(self, folder: Path | None) -> None:
        """Close the connection at the end of the session, and remove the folder of a copy."""
        self._end = weakref.finalize(self, _close, self._connection, folder)

    @abc.abstractmethod
    def tables(self) -> Mapping[str, str]:
        """The SQL of each table and view by its name, without `main.`."""

    def rows_of(self, table: str) -> str:
        known, name = self.tables(), table.lower()
        rows = next((rows for one, rows in known.items() if one.lower() in (name, name.removeprefix("main."))), None)
        if rows is None:
            raise SourceError(f"{self._place}: wanted a table '{table}', found none{nearest(table, known)}")
        return rows

    def all(self, sql: str) -> Sequence[tuple[Any, ...]]:
        with self._lock, self._errors("wanted to ask it"):
            rows: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
            return rows

    def number_of_now(self) -> int:
        return self._number

    def said(self, error: Exception) -> str:
        """What the library says, without what it says to programs."""
        return str(error)

    @contextmanager
    def _errors(self, wanted: str) -> Iterator[None]:
        errors: tuple[type[Exception], ...] = (OSError, *self.library_errors)
        try:
            yield
        except errors as error:
            kind = Transient if any(word in str(error) for word in self.temporary) else SourceError
            raise kind(f"{self._place}: {wanted}, got: {' '.join(self.said(error).split())}") from None

    def close(self) -> None:
        self._end()


def _close(connection: Any, folder: Path | None) -> None:
    connection.close()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
