"""One case for each source: how an input of it is written, on a disk or in a store."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import polars as pl
import pyarrow as pa
import sqlalchemy as sa
from deltalake import write_deltalake
from pyarrow import orc

from dq_pipelines.sources import Source, source_from
from dq_pipelines_tests.contracts.postgresql import new_database
from dq_pipelines_tests.remote.afar import Bucket


class Place(ABC):
    """A folder in which inputs lie."""

    root: str

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Write a file, or replace it: its modification time is another one."""


class Disk(Place):
    def __init__(self, folder: Path) -> None:
        self.root = str(folder)

    def put(self, name: str, content: bytes) -> None:
        path = Path(self.root, name)
        before = path.stat().st_mtime_ns if path.exists() else 0
        path.write_bytes(content)
        os.utime(
            path, ns=(before, max(path.stat().st_mtime_ns, before + 1))
        )  # a clock for files may tick every 10 ms only


class Store(Place):
    def __init__(self, bucket: Bucket) -> None:
        self.bucket, self.root = bucket, f"{bucket.uri}/in"

    def put(self, name: str, content: bytes) -> None:
        before = self._modified(name)
        self.bucket.put(f"in/{name}", content)
        while self._modified(name) == before:  # a store tells whole seconds
            time.sleep(0.1)
            self.bucket.put(f"in/{name}", content)

    def _modified(self, name: str) -> object:
        listed = self.bucket.client.list_objects_v2(Bucket=self.bucket.name, Prefix=f"in/{name}").get("Contents", ())
        return [item["LastModified"].replace(microsecond=0) for item in listed]


@dataclass(frozen=True)
class Case:
    """A source, and how its inputs are written."""

    type: str
    #: of one input
    name: str
    #: writes these numbers as a column `n`, in the place of what was there
    write: Callable[[Place, str, Sequence[int]], object]
    #: what `path` says after the place, when it means two inputs; None for a source that has one
    of_two: str | None = None
    #: whether what was listed can be read as it was, also after the input has changed
    immutable: bool = False
    #: whether its inputs can lie in a store
    in_stores: bool = True
    #: whether its inputs are files or folders
    in_files: bool = True
    #: whether a server has to run
    on_server: bool = False

    def source(self, place: Place, path: str | None = None) -> Source:
        return source_from({"type": self.type, "path": f"{place.root}/{path or self.name}"})

    def __str__(self) -> str:
        return self.name


def _file(content: Callable[[Sequence[int]], bytes]) -> Callable[[Place, str, Sequence[int]], object]:
    return lambda place, name, numbers: place.put(name, content(numbers))


def _csv(numbers: Sequence[int]) -> bytes:
    return "".join(f"{line}\n" for line in ("n", *numbers)).encode()


def _json_lines(numbers: Sequence[int]) -> bytes:
    return "".join(f'{{"n": {number}}}\n' for number in numbers).encode()


def _zipped(numbers: Sequence[int]) -> bytes:
    """A member for each number, and one that is no data."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("readme.md", "numbers")
        for place, number in enumerate(numbers):
            archive.writestr(f"{place}.csv", _csv([number]))
    return packed.getvalue()


def _workbook(numbers: Sequence[int]) -> bytes:
    book, packed = openpyxl.Workbook(), io.BytesIO()
    for row in ("n", *numbers):
        book.worksheets[0].append([row])
    book.save(packed)
    return packed.getvalue()


def _parquet(numbers: Sequence[int]) -> bytes:
    packed = io.BytesIO()
    pl.DataFrame({"n": numbers}).write_parquet(packed)
    return packed.getvalue()


def _orc(numbers: Sequence[int]) -> bytes:
    packed = io.BytesIO()
    orc.write_table(pa.table({"n": list(numbers)}), packed)
    return packed.getvalue()


def _delta(place: Place, name: str, numbers: Sequence[int]) -> None:
    options = {"AWS_ALLOW_HTTP": "true"} if "://" in place.root else None
    write_deltalake(f"{place.root}/{name}", pl.DataFrame({"n": numbers}), mode="overwrite", storage_options=options)


def _log(place: Place, name: str, numbers: Sequence[int]) -> None:
    """To a log, lines are only appended."""
    path = Path(place.root, name)
    before = path.read_bytes() if path.exists() else b""
    place.put(name, before + _json_lines(numbers)[0 if not before else len(before) :])


@dataclass(frozen=True)
class DatabaseCase(Case):
    """Rows of a table, which is called by its case and the place."""

    #: the database in which they are
    url: Callable[[Place], str] = lambda _: ""
    #: what the source has beside connection and table
    more: Mapping[str, Any] = field(default_factory=dict)

    def source(self, place: Place, path: str | None = None) -> Source:
        return source_from({"type": self.type, "connection": self.url(place), "table": _table(place), **self.more})


@cache
def _database() -> str:
    return new_database()


def _table(place: Place) -> str:
    return "t" + hashlib.sha256(place.root.encode()).hexdigest()[:16]


def _rows(url: Callable[[Place], str]) -> Callable[[Place, str, Sequence[int]], object]:
    def write(place: Place, _: str, numbers: Sequence[int]) -> None:
        """To a table, rows are only added."""
        with sa.create_engine(url(place), poolclass=sa.NullPool).begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {_table(place)} (n int PRIMARY KEY)")
            for number in numbers:
                connection.exec_driver_sql(f"INSERT INTO {_table(place)} VALUES ({number}) ON CONFLICT DO NOTHING")  # noqa: S608 - our own names and numbers

    return write


def _duckdb_rows(place: Place, _: str, numbers: Sequence[int]) -> None:
    with duckdb.connect(f"{place.root}/shop.duckdb") as connection:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {_table(place)} (n int PRIMARY KEY)")
        for number in numbers:
            connection.execute(f"INSERT INTO {_table(place)} VALUES ({number}) ON CONFLICT DO NOTHING")  # noqa: S608


def _in_database(type_: str, url: Callable[[Place], str], write: Any = None, *, on_server: bool) -> tuple[Case, Case]:
    """The whole of a table, and its new rows."""
    always: Any = {"immutable": True, "in_stores": False, "in_files": False, "on_server": on_server, "url": url}
    return (
        DatabaseCase(type_, f"{type_}_table", write or _rows(url), **always),
        DatabaseCase(type_, f"{type_}_new_rows", write or _rows(url), **always, more={"incremental": {"by": "n"}}),
    )


CASES = (
    Case("csv", "a.csv", _file(_csv), "*.csv"),
    Case("csv", "a.zip", _file(_zipped), "*.zip"),
    Case("json", "a.json", _file(lambda numbers: json.dumps([{"n": n} for n in numbers]).encode()), "*.json"),
    Case("ndjson", "a.jsonl", _file(_json_lines), "*.jsonl"),
    Case("excel", "a.xlsx", _file(_workbook), "*.xlsx"),
    Case("parquet", "a.parquet", _file(_parquet), "*.parquet"),
    Case("orc", "a.orc", _file(_orc), "*.orc"),
    Case("delta", "table", _delta, immutable=True),
    *_in_database("postgres", lambda _: _database(), on_server=True),
    *_in_database("sqlite", lambda place: f"sqlite:///{place.root}/shop.db", on_server=False),
    *_in_database("duckdb", lambda place: f"duckdb:///{place.root}/shop.duckdb", _duckdb_rows, on_server=False),
    # Of `offset_log.py`, which `house/test_new_source.py` adds to a copy of the project.
    Case("offset_log", "a.log", _log, immutable=True, in_stores=False),
)
