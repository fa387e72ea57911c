"""What a table format is to the rest of the house: it says what a table is, and makes commits happen.

Each format is a module or folder beside this one. Nothing outside of `lake/formats` knows which format a table has. What is
read of a table is in `snapshot`, what a commit consists of in `commit`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import polars as pl

from dq_pipelines.lake.formats.commit import Commit, Committed
from dq_pipelines.lake.formats.snapshot import Place, Snapshot
from dq_pipelines.lake.formats.storable import storable


@dataclass(frozen=True)
class Capabilities:
    """What tables of a format can do; asked when a project is checked."""

    #: rows with the keys of a batch are replaced by it
    merge: bool
    #: a table is kept in partitions
    partitions: bool
    #: earlier versions can be read, and restored
    time_travel: bool
    #: new columns come in the commit of their rows
    new_columns: bool
    #: rows lie in Parquet files beneath the table, which can be looked at, compacted and rewritten one by one
    files: bool


@dataclass(frozen=True)
class Damage:
    """What is wrong with a table's own records."""

    #: the file that is not as it was written
    path: str
    #: wanted and got
    sentence: str
    #: what a person can do
    remedy: str
    #: what it is, for the sentence that says that it was moved away; empty where moving it away is no repair
    movable: str = ""
    #: other files that go with it, where they are there
    companions: tuple[str, ...] = ()
    #: what is to be said once it was moved away
    afterwards: str = ""


class TableFormat(ABC):
    """How tables are kept. Whatever its methods raise on purpose is PublishError, or Overtaken."""

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    #: patterns of the format's own records beneath a table: what a backup copies beside the rows
    records: ClassVar[Sequence[str]] = ()

    @abstractmethod
    def snapshot(self, place: Place) -> Snapshot:
        """The table as it is now."""

    def entries(self, place: Place) -> Mapping[str, int]:
        """`snapshot(place).entries`; a format may have a cheaper way to them alone."""
        return self.snapshot(place).entries

    @abstractmethod
    def commit(self, place: Place, commit: Commit) -> Committed:
        """Make a commit happen, all of it or nothing. Survives a power loss once it returns.

        Raises Overtaken when another writer was quicker, PublishError when it cannot be.
        """

    @abstractmethod
    def stored_type(self, dtype: pl.DataType) -> pl.DataType | None:
        """The type in which values of a type are stored, none of them changed; None where there is none."""

    @abstractmethod
    def lies_at(self, place: Place) -> bool:
        """Whether a table of this format lies there; raises OSError."""

    @abstractmethod
    def tables_in(self, folder: str) -> Sequence[str]:
        """The names of the tables that lie in a folder, by its address; raises OSError."""

    @abstractmethod
    def change_token(self, place: Place) -> object | None:
        """Is another one after each commit; costs no read. None where the format has no such thing."""

    @abstractmethod
    def is_record(self, path: str) -> bool:
        """Whether a file beneath a table is one of the format's own records, and no data file."""

    @abstractmethod
    def examine(self, place: Place) -> Iterator[Damage]:
        """What is wrong with the table's own records."""

    @abstractmethod
    def expire(self, place: Place, keep: timedelta, *, dry_run: bool = False) -> list[str]:
        """Remove files that left the table longer ago than `keep`; their paths. Versions that need them can be read no more."""

    @abstractmethod
    def forget_versions(self, place: Place) -> list[str]:
        """Remove every earlier version, and all that was known of it; the paths of its data files."""

    @abstractmethod
    def checkpoint(self, place: Place) -> None:
        """Make the table quick to open again, where the format has a way to."""

    def storable(self, frame: pl.LazyFrame, *, untyped: bool = True) -> pl.LazyFrame:
        """`frame` with every column in a type that the format has, none of its values changed.

        A column without any value takes the type for those, unless `untyped` is false: then it keeps its type Null.
        """
        return storable(frame, self.stored_type, untyped=untyped)
