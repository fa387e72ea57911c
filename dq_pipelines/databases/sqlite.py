"""Sessions in SQLite: one read transaction, or a copy of a database whose writers would wait for it.

Each value of SQLite has a kind of its own, whatever its column declares. A column of one kind is typed; any other is text.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dq_pipelines.databases.connections import place_of
from dq_pipelines.databases.files import FileSession, change_number, existing, path_of
from dq_pipelines.databases.session import UNREADABLE, Column
from dq_pipelines.databases.sqlite_values import Undecodable, add_functions, in_form, shown_row, text_of

if TYPE_CHECKING:
    import polars as pl

_ROWS_AT_ONCE = 20_000
#: How long to wait for a writer, in seconds.
_PATIENCE = 10
#: SQLite takes at most 127 arguments of a function, and some 2,000 columns of a result.
_COLUMNS_AT_ONCE = 50
_KINDS = ("integer", "real", "text", "blob")


class SqliteSession(FileSession):
    """A session by a URL `sqlite:///path`; `new_folder` makes a folder for a copy. Raises SourceError, or Transient."""

    library_errors = (sqlite3.Error,)
    temporary = ("locked", "busy", "disk I/O error", "disk is full", "out of memory")

    def __init__(self, url: str, new_folder: Callable[[], Path]) -> None:
        super().__init__(place_of(url))
        path = existing(path_of(url), self._place)
        self._views = itertools.count(1)
        self._columns: dict[str, Sequence[Column]] = {}
        self._readable: set[tuple[str, str]] = set()
        folder: Path | None = None
        with self._errors("wanted to open it"):
            self._number = change_number([path, path.with_name(path.name + "-wal")])
            if not _lets_writers_go_on(path):
                folder = new_folder()
                path = _copied(path, folder / "copy.db")
            self._connection = _opened(path)
            add_functions(self._connection)
            self._connection.execute("BEGIN")
            self.all("SELECT count(*) FROM sqlite_schema")
        self._end_with(folder)

    def tables(self) -> Mapping[str, str]:
        found = self.all("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")
        return {name: f"main.{self.quoted(name)}" for (name,) in found}

    def columns(self, rows: str) -> Sequence[Column]:
        if rows not in self._columns:
            view = f"dq_{next(self._views)}"
            with self._lock, self._errors("wanted to read its columns"):
                # What a view tells of its columns is what the tables declare, also where it has only some of them.
                self._connection.execute(f"CREATE TEMP VIEW {view} AS SELECT * FROM {rows} AS _dq")  # noqa: S608 - quoted by `rows_of`, or the project's own SQL
                declared = self._connection.execute(f"PRAGMA temp.table_xinfo({view})").fetchall()
            self._columns[rows] = [_column(name, type_, self.quoted(name)) for _, name, type_, *_ in declared]
        return self._columns[rows]

    def typed(self, columns: Sequence[Column], rows: str, where: str) -> Sequence[Column]:
        found: list[Column] = []
        for some in _parts(columns):
            open_ = [column for column in some if column.type not in ("text", "numeric")]
            asked = ", ".join(f"max(typeof({column.read}) = '{kind}')" for column in open_ for kind in _KINDS)
            told = iter(self.values(f"SELECT {asked} FROM {rows} AS _dq{where}") if open_ else ())  # noqa: S608
            found += [
                _typed(column, {kind for kind in _KINDS if next(told)}) if column in open_ else column
                for column in some
            ]
        return found

    def watermark(self, column: Column, rows: str) -> Column:
        import polars as pl

        kinds = self.all(
            f"SELECT DISTINCT typeof({column.read}), dq_form({column.read}) FROM {rows} AS _dq"  # noqa: S608
            f" WHERE {column.read} IS NOT NULL LIMIT 3"
        )
        plain = replace(column, unsound="", dtype=pl.String())
        match kinds:
            case []:
                return replace(plain, type="integer", dtype=pl.Int64() if column.type == "integer" else pl.String())
            case [("integer", _)]:
                return replace(plain, type="integer", dtype=pl.Int64())
            case [("text", str(form))]:
                return replace(plain, type=form)
        shown = sorted({kind if form is None else f"'{form}'" for kind, form in kinds})
        return replace(plain, type=" and ".join(shown))

    def point(self, column: Column) -> str | None:
        if column.type == "integer":
            return column.read
        return f"dq_microseconds({column.read})" if column.type.startswith("0000-") else None

    def literal(self, column: Column, point: int) -> str:
        return str(point) if column.type == "integer" else f"'{in_form(point, column.type)}'"

    def digest(self, rows: str) -> str:
        parts = [
            ", ".join(
                # Text as its bytes: a function of Python's takes no text that is no UTF-8.
                f"typeof({one.read}), CASE typeof({one.read}) WHEN 'text' THEN CAST({one.read} AS BLOB) ELSE {one.read} END"
                for one in some
            )
            for some in _parts(self.columns(rows))
        ]
        whole = parts[0] if len(parts) == 1 else ", ".join(f"dq_row({part})" for part in parts)
        return f"count(*), dq_rows({whole})"

    def batches(self, rows: str, columns: Sequence[Column], where: str, order: str) -> Iterator[pl.DataFrame]:
        import polars as pl

        positions = {column.read: position for position, column in enumerate(self.columns(rows))}
        all_readable = True
        for fetched in self._stream(rows, where, order):
            values = list(zip(*fetched, strict=True))
            broken = [False] * len(fetched)
            series = []
            for column in columns:
                one = values[positions[column.read]]
                if column.unsound and any(type(value) is Undecodable for value in one):
                    broken = [was or type(value) is Undecodable for was, value in zip(broken, one, strict=True)]
                texts = [text_of(value) for value in one] if column.dtype == pl.String else one
                series.append(pl.Series(column.name, texts, column.dtype))
            all_readable = all_readable and not any(broken)
            yield pl.DataFrame([*series, pl.Series(UNREADABLE, broken, pl.Boolean())])
        if all_readable and {one.read for one in columns if one.unsound} >= {
            one.read for one in self.columns(rows) if one.unsound
        }:
            self._readable.add((rows, where))

    def unreadable(self, rows: str, columns: Sequence[Column], where: str, order: str) -> Iterator[tuple[str, str]]:
        if (rows, where) in self._readable:
            return
        read = [one.read for one in self.columns(rows)]
        names = {one.read: one.name for one in columns}
        for fetched in self._stream(rows, where, order):
            for row in fetched:
                bad = next((place for place, value in enumerate(row) if type(value) is Undecodable), None)
                if bad is not None:
                    yield shown_row(row), f"column '{names[read[bad]]}' holds text that is no UTF-8"

    def _stream(self, rows: str, where: str, order: str) -> Iterator[list[tuple[Any, ...]]]:
        """All columns each time: those that are asked for decide in which order SQLite reads its rows."""
        listed = ", ".join(column.read for column in self.columns(rows))
        with self._lock, self._errors("wanted to read its rows"):
            cursor = self._connection.execute(f"SELECT {listed} FROM {rows} AS _dq{where}{order}")  # noqa: S608
        while True:
            with self._lock, self._errors("wanted to read its rows"):
                fetched = cursor.fetchmany(_ROWS_AT_ONCE)
            if not fetched:
                return
            yield fetched


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
    )


def _lets_writers_go_on(path: Path) -> bool:
    """Whether a database has a write-ahead log (bytes 18 and 19 of its header): writers then do not wait for readers."""
    with path.open("rb") as file:
        return file.read(20)[18:] == b"\x02\x02"


def _copied(path: Path, copy: Path) -> Path:
    end = time.monotonic() + _PATIENCE

    def waited(status: int, _left: int, _pages: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > end:
            raise sqlite3.OperationalError("database is locked")

    source, target = _opened(path), sqlite3.connect(copy)
    try:
        source.backup(target, progress=waited)
    finally:
        source.close()
        target.close()
    return copy


def _parts(columns: Sequence[Column]) -> list[Sequence[Column]]:
    return [columns[first : first + _COLUMNS_AT_ONCE] for first in range(0, len(columns), _COLUMNS_AT_ONCE)]


def _column(name: str, declared: str, quoted: str) -> Column:
    """A column by its affinity, as https://sqlite.org/datatype3.html finds it; what is declared as nothing has none."""
    import polars as pl

    read, upper = f"_dq.{quoted}", declared.upper()
    is_text = f"typeof({read}) = 'text'"
    if "INT" in upper:
        return Column(name, "integer", pl.Int64(), read)
    if any(word in upper for word in ("CHAR", "CLOB", "TEXT")):
        return Column(name, "text", pl.String(), read, is_text)
    if "BLOB" in upper:
        return Column(name, "blob", pl.Binary(), read)
    if any(word in upper for word in ("REAL", "FLOA", "DOUB")):
        return Column(name, "real", pl.Float64(), read)
    return Column(name, "numeric" if upper else "any", pl.String(), read, is_text)


def _typed(column: Column, kinds: set[str]) -> Column:
    """A column with the type of its values; text where they are of several kinds, or of another one than it declares."""
    import polars as pl

    types = {"integer": pl.Int64(), "real": pl.Float64(), "blob": pl.Binary()}
    if column.type == "any" and len(kinds) == 1 and kinds <= {*types}:
        return replace(column, dtype=types[kinds.pop()], unsound="")
    if kinds <= {column.type}:
        return column
    return replace(column, dtype=pl.String(), unsound=f"typeof({column.read}) = 'text'")
