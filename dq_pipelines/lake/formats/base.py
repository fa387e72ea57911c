"""Defines the interface of a table format: it reads snapshots of tables and makes commits.

Each format is a module or folder in this package. Code outside of `lake/formats` does not know a table's format.
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
    """What tables of a format can do; used to check a project."""

    #: a batch replaces rows with the same keys
    merge: bool
    #: a table can have partitions
    partitions: bool
    #: earlier versions can be read and restored
    time_travel: bool
    #: a commit of rows can add columns
    new_columns: bool
    #: rows are in Parquet files beneath the table, which can be checked, compacted and rewritten one by one
    files: bool


@dataclass(frozen=True)
class Damage:
    """Damage to a table's own records."""

    #: the damaged file
    path: str
    #: wanted and got
    sentence: str
    #: what a person can do
    remedy: str
    #: what the file is, for the message that it was moved away; empty where moving it away is no repair
    movable: str = ""
    #: other files to move with it, where they exist
    companions: tuple[str, ...] = ()
    #: the message after it was moved away
    afterwards: str = ""


class TableFormat(ABC):
    """Stores tables. Its methods raise PublishError or Overtaken, unless they say otherwise."""

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    #: patterns of the format's own records beneath a table: what a backup copies besides the rows
    records: ClassVar[Sequence[str]] = ()

    @abstractmethod
    def snapshot(self, place: Place) -> Snapshot:
        """The table as it is now."""

    def entries(self, place: Place) -> Mapping[str, int]:
        """`snapshot(place).entries`; a format may override it with a cheaper way."""
        return self.snapshot(place).entries

    @abstractmethod
    def commit(self, place: Place, commit: Commit) -> Committed:
        """Make a commit, all or nothing. It survives a power loss once this returns.

        Raises Overtaken when another writer was quicker, PublishError when the table refuses it. `LakeTable.commit` turns
        errors of files and libraries into PublishError.
        """

    @abstractmethod
    def stored_type(self, dtype: pl.DataType) -> pl.DataType | None:
        """The type that stores values of a type unchanged; None where there is none."""

    @abstractmethod
    def lies_at(self, place: Place) -> bool:
        """Whether a table of this format exists there; raises OSError."""

    @abstractmethod
    def tables_in(self, folder: str) -> Sequence[str]:
        """The names of the tables in a folder, given by its address; raises OSError."""

    @abstractmethod
    def change_token(self, place: Place) -> object | None:
        """A value that changes with each commit and costs no read; None where the format has none."""

    @abstractmethod
    def is_record(self, path: str) -> bool:
        """Whether a file beneath a table is a record of the format, not a data file."""

    @abstractmethod
    def examine(self, place: Place) -> Iterator[Damage]:
        """Find damage to the table's own records."""

    @abstractmethod
    def expire(self, place: Place, keep: timedelta, *, dry_run: bool = False) -> list[str]:
        """Remove files that left the table longer ago than `keep`; returns their paths. Versions that need them become unreadable."""

    @abstractmethod
    def forget_versions(self, place: Place) -> list[str]:
        """Remove all earlier versions and their records; returns the paths of their data files."""

    @abstractmethod
    def checkpoint(self, place: Place) -> None:
        """Make the table quick to open, if the format supports that."""

    def storable(self, frame: pl.LazyFrame, *, untyped: bool = True) -> pl.LazyFrame:
        """`frame` with every column in a type of the format, with unchanged values.

        A column without values gets the type for such columns; if `untyped` is false, it keeps its type Null.
        """
        return storable(frame, self.stored_type, untyped=untyped)
