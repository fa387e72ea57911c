"""A commit as a value: what changes, what the ledger notes of it, and what must hold for it to be made. A format makes it happen."""

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
    """A Parquet file that waits for a commit."""

    #: beneath the table
    path: str
    rows: int
    #: bytes
    size: int


class Staged(Protocol):
    """Rows of one partition that wait for a commit, as Parquet files beneath the table."""

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
    """Rows are added; the first commit makes the table."""

    rows: Staged
    new_columns: NewColumns = "refuse"


@dataclass(frozen=True)
class Overwrite:
    """Rows take the place of all others, or of those in their partition. The whole table takes on their columns and types."""

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
    """Rows are removed whose column has one of the values."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class ReplaceFiles:
    """Files give way to others. `same_rows` says that no row changes, so that nobody reads them as news."""

    gone: tuple[DataFile, ...]
    parts: tuple[Staged, ...] = ()
    same_rows: bool = False


@dataclass(frozen=True)
class Restore:
    """The table is again what it was at an earlier version: rows, columns and types."""

    version: int


@dataclass(frozen=True)
class Note:
    """No row changes: the ledger alone takes entries."""


Change = Append | Overwrite | Rebuild | Merge | Insert | Update | Delete | ReplaceFiles | Restore | Note


@dataclass(frozen=True)
class Commit:
    """One change of a table with what is noted of it, all or nothing."""

    change: Change
    #: entries of the ledger: names and numbers
    entries: Mapping[str, int] = field(default_factory=dict)
    #: what the table remembers of the commit, as texts
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: entries that the ledger may not have: a name with its number, or with any number where that is None
    once: Mapping[str, int | None] = field(default_factory=dict)
    #: what was read to make it: a commit since then may not have touched the same files. None: the table as it is now
    read: Snapshot | None = None
    #: the version that the table must have still; any other would be undone
    expected: int | None = None

    def must_come_first(self, key: str, entries: Mapping[str, int]) -> None:
        """Raise Overtaken where the ledger has what only one commit may note."""
        for name, number in self.once.items():
            known = entries.get(name)
            if known is not None and number in (None, known):
                raise Overtaken(f"{key}: another run has {'done' if number is None else 'published'} {name} meanwhile")

    def must_meet(self, key: str, version: int) -> None:
        """Raise Overtaken where the table has another version than expected."""
        if self.expected is not None and version != self.expected:
            raise Overtaken(f"{key}: another writer changed the table while it was written anew")


@dataclass(frozen=True)
class Committed:
    """What has become of a commit."""

    version: int
    #: whether the table's files are those that were staged; else it wrote files of its own with their rows
    takes_files: bool = True
