"""Describes a commit as a value: the change, its ledger entries, and its preconditions. A format carries it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import polars as pl

from dq_pipelines.errors import Overtaken
from dq_pipelines.lake.formats.snapshot import DataFile, Snapshot

NewColumns = Literal["add", "refuse"]


@dataclass(frozen=True)
class StagedFile:
    """A staged Parquet file."""

    #: relative to the table
    path: str
    rows: int
    #: bytes
    size: int


class Staged(Protocol):
    """Staged rows of one partition, as Parquet files beneath the table."""

    @property
    def partition(self) -> str | None: ...

    @property
    def files(self) -> Sequence[StagedFile]: ...

    @property
    def schema(self) -> pl.Schema:
        """The columns, without the partition's."""
        ...

    def scan(self) -> pl.LazyFrame:
        """The rows, with the partition's column."""
        ...


@dataclass(frozen=True)
class Append:
    """Adds rows; the first commit creates the table."""

    rows: Staged
    new_columns: NewColumns = "refuse"


@dataclass(frozen=True)
class Overwrite:
    """Replaces all rows, or those of the partition. The whole table gets the columns and types of the new rows."""

    rows: Staged
    new_columns: NewColumns = "refuse"


@dataclass(frozen=True)
class Rebuild:
    """Partitions are replaced by rows that may have other types; `whole` replaces all others, too, and needs the rows of each."""

    parts: tuple[Staged, ...]
    whole: bool


@dataclass(frozen=True)
class Merge:
    """Rows with the keys of others replace them; rows with new keys are added. With `insert_only` the others stay as they are."""

    rows: Staged | pl.LazyFrame
    keys: tuple[str, ...]
    new_columns: NewColumns = "refuse"
    insert_only: bool = False


@dataclass(frozen=True)
class Insert:
    """Rows of the table's own schema are added, as they come from a query."""

    rows: pl.LazyFrame


@dataclass(frozen=True)
class Update:
    """Rows whose `key` is that of a row of `changes` take its other values; columns that the table lacks are taken on."""

    #: names a key once
    changes: pl.DataFrame
    key: str


@dataclass(frozen=True)
class Delete:
    """Removes the rows whose column has one of the values."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class ReplaceFiles:
    """Replaces files. With `same_rows` no row changes, so that change readers ignore the commit."""

    gone: tuple[DataFile, ...]
    parts: tuple[Staged, ...] = ()
    same_rows: bool = False


@dataclass(frozen=True)
class Restore:
    """Restores an earlier version of the table: rows, columns and types."""

    version: int


@dataclass(frozen=True)
class Note:
    """Changes no row: only adds ledger entries."""


Change = Append | Overwrite | Rebuild | Merge | Insert | Update | Delete | ReplaceFiles | Restore | Note


@dataclass(frozen=True)
class Commit:
    """One change of a table with its ledger entries and metadata, all or nothing."""

    change: Change
    #: entries of the ledger: names and numbers
    entries: Mapping[str, int] = field(default_factory=dict)
    #: metadata that the table stores with the commit
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: entries that the ledger must not have: a name with its number, or with any number where that is None
    once: Mapping[str, int | None] = field(default_factory=dict)
    #: the snapshot that it is based on: no commit since then may have changed the same files. None: the current table
    read: Snapshot | None = None
    #: the version that the table must still have; a later one would be undone
    expected: int | None = None

    def must_come_first(self, key: str, entries: Mapping[str, int]) -> None:
        """Raise Overtaken where the ledger already has an entry of `once`."""
        for name, number in self.once.items():
            known = entries.get(name)
            if known is not None and number in (None, known):
                raise Overtaken(f"{key}: another run has {'done' if number is None else 'published'} {name} meanwhile")

    def must_meet(self, key: str, version: int) -> None:
        """Raise Overtaken where the table has a version other than `expected`."""
        if self.expected is not None and version != self.expected:
            raise Overtaken(f"{key}: another writer changed the table while it was written anew")


@dataclass(frozen=True)
class Committed:
    """The result of a commit."""

    version: int
    #: whether the table uses the staged files; otherwise the format wrote other files with their rows
    takes_files: bool = True
