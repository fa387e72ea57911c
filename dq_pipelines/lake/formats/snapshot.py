"""Defines a snapshot: a table at one version, in any format, with its rows, files, ledger and history."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, reduce
from operator import add
from typing import Any, ClassVar, Self

import polars as pl

from dq_pipelines.errors import PublishError
from dq_pipelines.lake.schema_evolution import exactly
from dq_pipelines.rules.core.column_statistics import ColumnStatistics

#: The partition column of tables whose YAML says `partitions`.
PARTITION = "_partition"

#: The number of a ledger entry that is no longer valid: some formats cannot remove an entry.
TAKEN_BACK = -1


@dataclass(frozen=True)
class Place:
    """The key and address of a table, which may not exist yet."""

    #: `<layer>/<table>`
    key: str
    #: absolute path or URI
    uri: str


@dataclass(frozen=True)
class DataFile:
    """One file of a table."""

    #: relative to the table, as in the file system
    path: str
    uri: str
    rows: int
    #: bytes
    size: int
    #: the table's columns, which may differ from the file's
    schema: pl.Schema
    partition: str | None = None
    #: when it was written, in milliseconds since 1970
    modified: int = 0

    def scan(self) -> pl.LazyFrame:
        """Its rows, with all columns of the table."""
        rows = pl.scan_parquet(self.uri, glob=False, hive_partitioning=False)
        if PARTITION in self.schema:
            rows = rows.with_columns(pl.lit(self.partition, pl.String).alias(PARTITION))
        return exactly(rows, self.schema)


@dataclass(frozen=True)
class CommitRecord:
    """A commit in the table's history."""

    version: int
    #: None where the format did not record it
    at: datetime | None
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Snapshot(ABC):
    """A table at one version: rows that are read, counted and removed are the same, whatever is written meanwhile.

    Read once a step and passed on. Code that must see the newest state takes a new one: before a commit, after a wait.
    """

    place: Place
    #: the number of the newest commit; -1 where nothing was ever published
    version: int

    @property
    def key(self) -> str:
        """`<layer>/<table>`."""
        return self.place.key

    @property
    def uri(self) -> str:
        return self.place.uri

    @property
    def exists(self) -> bool:
        """Whether anything was ever published, even without rows."""
        return self.version >= 0

    def required(self) -> Self:
        """The snapshot itself; raises PublishError when nothing was ever published."""
        if not self.exists:
            raise PublishError(f"{self.key} is not published yet: materialize it first (looked in {self.uri})")
        return self

    # --- rows ------------------------------------------------------------------------------------

    @abstractmethod
    def scan(self) -> pl.LazyFrame:
        """Its rows as a lazy frame, with the partition column if any; raises PublishError when there is no table."""

    @abstractmethod
    def rows(self) -> int:
        """The number of rows, from metadata alone where the format has it."""

    @abstractmethod
    def relation(self) -> Any:
        """Its rows as an object that DuckDB can register, and of which it reads only what a query needs."""

    @cached_property
    def schema(self) -> pl.Schema:
        """Its columns and types, with the partition column."""
        return self.scan().collect_schema()

    @property
    @abstractmethod
    def partition_columns(self) -> Sequence[str]: ...

    @property
    @abstractmethod
    def partitions(self) -> Sequence[str | None]:
        """The partitions that have rows; None for files of no partition. Empty for a table without partitions."""

    # --- files -----------------------------------------------------------------------------------

    @abstractmethod
    def file_statistics(self, *columns: str) -> pl.DataFrame:
        """One row per file: `path` beneath the table, `rows`, `size` in bytes, `partition`, `modified` in milliseconds since 1970.

        Of each of `columns` also `least.<column>`, `most.<column>` and `nulls.<column>`, null where they are not known.
        Without rows where a format keeps no files that others can read.
        """

    @cached_property
    def files(self) -> list[DataFile]:
        """Its data files."""
        found = self.file_statistics()
        if not found.height:
            return []
        schema = self.schema
        return [
            DataFile(
                one["path"],
                f"{self.uri}/{one['path']}",
                one["rows"],
                one["size"],
                schema,
                one["partition"],
                one["modified"],
            )
            for one in found.to_dicts()
        ]

    @abstractmethod
    def retained_files(self) -> set[str]:
        """The paths of all files that this version or a readable earlier one needs."""

    def has_exact_bounds(self, dtype: pl.DataType) -> bool:
        """Whether the stored minimum and maximum of a type are exact."""
        return dtype.is_integer() or dtype == pl.Date

    def column_statistics(self, schema: Mapping[str, pl.DataType]) -> dict[str, ColumnStatistics]:
        """Column statistics from metadata: null counts, and exact bounds. Rules that they answer need no scan."""
        names = [name for name, dtype in schema.items() if not (dtype.is_float() or dtype.is_nested())]
        files = self.file_statistics(*names)
        found: dict[str, ColumnStatistics] = {}
        for name in names if files.height else ():
            if files[f"nulls.{name}"].null_count() == files.height:
                continue
            parts = files.select(f"nulls.{name}", f"least.{name}", f"most.{name}").iter_rows()
            whole = reduce(add, (ColumnStatistics(*part) for part in parts))
            found[name] = whole if self.has_exact_bounds(schema[name]) else ColumnStatistics(whole.missing)
        return found

    # --- ledger and history ----------------------------------------------------------------------

    @property
    @abstractmethod
    def entries(self) -> Mapping[str, int]:
        """Every ledger entry: the last number by name, including `TAKEN_BACK`."""

    @cached_property
    def ledger(self) -> Mapping[str, int]:
        """The valid ledger entries."""
        return {name: number for name, number in self.entries.items() if number != TAKEN_BACK}

    @abstractmethod
    def entries_since(self, version: int) -> set[str]:
        """The names of the ledger entries of all commits after a version."""

    @abstractmethod
    def last_made(self, name: str) -> tuple[int, set[str | None]] | None:
        """The last commit with an entry: its version, and the partitions of the files it added. None where it is no longer known."""

    @abstractmethod
    def history(self, limit: int | None = None) -> Iterator[CommitRecord]:
        """The known commits, from the newest to the oldest."""

    @abstractmethod
    def at(self, version: int) -> Snapshot:
        """The snapshot of an earlier version; raises PublishError for an unknown version."""


@dataclass(frozen=True)
class Unpublished(Snapshot):
    """The snapshot of a table to which nothing was ever published."""

    version: int = -1

    def scan(self) -> pl.LazyFrame:
        self.required()
        raise AssertionError

    relation = scan

    def rows(self) -> int:
        return 0

    partition_columns: ClassVar[Sequence[str]] = ()
    partitions: ClassVar[Sequence[str | None]] = ()
    entries: ClassVar[Mapping[str, int]] = {}

    def file_statistics(self, *columns: str) -> pl.DataFrame:
        return no_files(*columns)

    def retained_files(self) -> set[str]:
        return set()

    def entries_since(self, version: int) -> set[str]:
        return set()

    def last_made(self, name: str) -> tuple[int, set[str | None]] | None:
        return None

    def history(self, limit: int | None = None) -> Iterator[CommitRecord]:
        return iter(())

    def at(self, version: int) -> Snapshot:
        return self.required()


def no_files(*columns: str) -> pl.DataFrame:
    """`Snapshot.file_statistics` for a table without files."""
    kinds = {
        "path": pl.String(),
        "rows": pl.Int64(),
        "size": pl.Int64(),
        "partition": pl.String(),
        "modified": pl.Int64(),
    }
    more = {f"{kind}.{name}": pl.Null() for name in columns for kind in ("least", "most", "nulls")}
    return pl.DataFrame(schema={**kinds, **more})
