"""A table at one version: what is read of it, whatever its format. How it changes is in `commit`."""

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

#: The number of an entry of the ledger that no longer holds: a format may have no way to remove one.
TAKEN_BACK = -1


@dataclass(frozen=True)
class Place:
    """Where a table lies, or will lie."""

    #: `<layer>/<table>`
    key: str
    #: absolute path or URI
    uri: str


@dataclass(frozen=True)
class DataFile:
    """One file of a table."""

    #: beneath the table, as the file system has it
    path: str
    uri: str
    rows: int
    #: bytes
    size: int
    #: the table's columns, whatever those of the file
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
    """What a table remembers of one commit."""

    version: int
    #: None where the format did not note it
    at: datetime | None
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Snapshot(ABC):
    """A table at one version. What is read, counted and removed are the same rows, whoever writes meanwhile.

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
        """Whether anything was ever published, be it without rows."""
        return self.version >= 0

    def required(self) -> Self:
        """Itself; raises PublishError when nothing was ever published."""
        if not self.exists:
            raise PublishError(f"{self.key} is not published yet: materialize it first (looked in {self.uri})")
        return self

    # --- rows ------------------------------------------------------------------------------------

    @abstractmethod
    def scan(self) -> pl.LazyFrame:
        """Its rows, lazily, with the partition's column where it has one; raises PublishError when there is no table."""

    @abstractmethod
    def rows(self) -> int:
        """How many rows it has; from metadata alone where the format knows."""

    @abstractmethod
    def relation(self) -> Any:
        """Its rows as something that DuckDB registers, and reads no more of than a query asks for."""

    @cached_property
    def schema(self) -> pl.Schema:
        """Its columns and their types, with that of the partition."""
        return self.scan().collect_schema()

    @property
    @abstractmethod
    def partition_columns(self) -> Sequence[str]: ...

    @property
    @abstractmethod
    def partitions(self) -> Sequence[str | None]:
        """The partitions that it has rows of; None for files of no partition. Empty where it is not kept in partitions."""

    # --- files -----------------------------------------------------------------------------------

    @abstractmethod
    def file_statistics(self, *columns: str) -> pl.DataFrame:
        """One row a file: `path` beneath the table, `rows`, `size` in bytes, `partition`, `modified` in milliseconds since 1970.

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
        """The paths of all files that this version or an earlier one needs: whoever reads an earlier one still needs them."""

    def has_exact_bounds(self, dtype: pl.DataType) -> bool:
        """Whether least and greatest values of a type are kept exactly as the rows have them."""
        return dtype.is_integer() or dtype == pl.Date

    def column_statistics(self, schema: Mapping[str, pl.DataType]) -> dict[str, ColumnStatistics]:
        """What metadata tell of columns: null counts, and bounds where they are exact. Rules that they answer cost no scan."""
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
        """Every entry of the ledger, by name: the number it last reached, `TAKEN_BACK` among them."""

    @cached_property
    def ledger(self) -> Mapping[str, int]:
        """The entries of the ledger that hold."""
        return {name: number for name, number in self.entries.items() if number != TAKEN_BACK}

    @abstractmethod
    def entries_since(self, version: int) -> set[str]:
        """The names of the entries that commits after a version have made, whatever their numbers."""

    @abstractmethod
    def last_made(self, name: str) -> tuple[int, set[str | None]] | None:
        """The last commit that made an entry: its version, and the partitions of the files that it brought. None where it is forgotten."""

    @abstractmethod
    def history(self, limit: int | None = None) -> Iterator[CommitRecord]:
        """The commits that the table remembers, from the newest to the oldest."""

    @abstractmethod
    def at(self, version: int) -> Snapshot:
        """The table as it was; raises PublishError for a version that it does not have."""


@dataclass(frozen=True)
class Unpublished(Snapshot):
    """A table to which nothing was ever published."""

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
    """`Snapshot.file_statistics` of a table without files."""
    kinds = {
        "path": pl.String(),
        "rows": pl.Int64(),
        "size": pl.Int64(),
        "partition": pl.String(),
        "modified": pl.Int64(),
    }
    more = {f"{kind}.{name}": pl.Null() for name in columns for kind in ("least", "most", "nulls")}
    return pl.DataFrame(schema={**kinds, **more})
