"""Locates, reads and commits the tables of a lake: `$DQ_LAKE/<layer>/<table>`, on disk or in an object store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from dq_pipelines.config.stores import wrong_scheme
from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.lake import formats
from dq_pipelines.lake.failures import publish_errors, read_errors
from dq_pipelines.lake.formats.base import TableFormat
from dq_pipelines.lake.formats.commit import Commit, Committed
from dq_pipelines.lake.formats.snapshot import PARTITION, Place, Snapshot

#: The folders of a lake that contain tables.
LAYERS = ("bronze", "silver", "quarantine", "gold")


@dataclass(frozen=True)
class LakeTable(Place):
    """One table of the lake, which may not exist yet."""

    #: name of its format; None for the format of the existing table, or the default
    kind: str | None = field(default=None, compare=False)

    @property
    def format(self) -> TableFormat:
        """The table's format."""
        if self.kind is not None:
            return formats.named(self.kind)
        with read_errors(self.key, self.uri):
            return formats.format_at(self)

    def snapshot(self) -> Snapshot:
        """The table as it is now: read it once per step and pass it on. Raises PublishError when it cannot be read."""
        return self.format.snapshot(self)

    def published(self) -> Snapshot | None:
        """The same; None where nothing was ever published."""
        snapshot = self.snapshot()
        return snapshot if snapshot.exists else None

    def commit(self, commit: Commit) -> Committed:
        """Make a commit, all or nothing. Raises Overtaken or PublishError."""
        with publish_errors(self.key, self.uri):
            return self.format.commit(self, commit)

    @property
    def exists(self) -> bool:
        """Whether anything was ever published."""
        return self.snapshot().exists

    def scan(self) -> pl.LazyFrame:
        """Its rows as a lazy frame; raises PublishError where the table does not exist yet."""
        return self.snapshot().scan()

    def partitions(self) -> Sequence[str | None]:
        """The partitions that have rows; None for files of no partition. Empty for a table without partitions."""
        return self.snapshot().partitions

    def rows(self) -> int:
        """The number of rows, from metadata alone where the format has it."""
        return self.snapshot().rows()


#: A table, which is read again, or a snapshot that a step already has.
TableOrSnapshot = LakeTable | Snapshot


def as_snapshot(table: TableOrSnapshot) -> Snapshot:
    """The snapshot itself, or the current snapshot of a table."""
    return table if isinstance(table, Snapshot) else table.snapshot()


def table_of(snapshot: Snapshot) -> LakeTable:
    """The table of a snapshot."""
    place = snapshot.place
    return place if isinstance(place, LakeTable) else LakeTable(place.key, place.uri)


@dataclass(frozen=True)
class Lake:
    """The root folder of all tables."""

    root: str

    @classmethod
    def at(cls, root: str, setting: str = "DQ_LAKE") -> Lake:
        """A lake at a path, made absolute, or at an object store's URI; raises ConfigError for an unknown scheme."""
        if wrong := wrong_scheme(root):
            raise ConfigError([Problem("", 0, f"{setting}={root}: {wrong}")])
        return cls(root.rstrip("/") if "://" in root else str(Path(root).absolute()))

    def table(self, key: str) -> LakeTable:
        return LakeTable(key, f"{self.root}/{key}")

    def keys(self) -> list[str]:
        """The tables in this lake, whether or not YAML names them; raises PublishError when the lake cannot be read."""
        with read_errors("the lake", self.root):
            found = {
                f"{layer}/{name}"
                for layer in LAYERS
                for kind in formats.names()
                for name in formats.named(kind).tables_in(f"{self.root}/{layer}")
            }
        return sorted(found)


__all__ = ["LAYERS", "PARTITION", "Lake", "LakeTable", "TableOrSnapshot", "as_snapshot", "table_of"]
