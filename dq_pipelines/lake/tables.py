"""Where tables lie, and how they are read and changed: `$DQ_LAKE/<layer>/<table>`, on disk or in an object store.

How an object store is reached is said in `config/stores.py`, what a table is in `lake/formats`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from dq_pipelines.config.stores import wrong_scheme
from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.lake import formats
from dq_pipelines.lake.failures import publish_errors, reached
from dq_pipelines.lake.formats.base import TableFormat
from dq_pipelines.lake.formats.commit import Commit, Committed
from dq_pipelines.lake.formats.snapshot import PARTITION, Place, Snapshot

#: The folders of a lake in which tables lie.
LAYERS = ("bronze", "silver", "quarantine", "gold")


@dataclass(frozen=True)
class LakeTable(Place):
    """One table of the lake, which need not exist yet."""

    #: the name of its format; None for that of the table that lies there, or the default where none does
    kind: str | None = field(default=None, compare=False)

    @property
    def format(self) -> TableFormat:
        """How it is kept."""
        if self.kind is not None:
            return formats.named(self.kind)
        with reached(self.key, self.uri):
            return formats.format_at(self)

    def snapshot(self) -> Snapshot:
        """The table as it is now, to be read once a step and passed on. Raises PublishError when it cannot be read."""
        return self.format.snapshot(self)

    def published(self) -> Snapshot | None:
        """The same, or None when nothing was ever published to it."""
        found = self.snapshot()
        return found if found.exists else None

    def commit(self, commit: Commit) -> Committed:
        """Make a commit, all of it or nothing. Raises Overtaken, or PublishError."""
        with publish_errors(self.key, self.uri):
            return self.format.commit(self, commit)

    @property
    def exists(self) -> bool:
        """Whether anything was ever published to it."""
        return self.snapshot().exists

    def scan(self) -> pl.LazyFrame:
        """Its rows, lazily; raises PublishError when there is no such table yet."""
        return self.snapshot().scan()

    def partitions(self) -> Sequence[str | None]:
        """The partitions that it has rows of; None for files of no partition. Empty where it is not kept in partitions."""
        return self.snapshot().partitions

    def rows(self) -> int:
        """How many rows it has, from metadata alone where its format knows."""
        return self.snapshot().rows()


#: A table, which is looked at anew, or what a step has looked at already.
TableOrSnapshot = LakeTable | Snapshot


def looked_at(table: TableOrSnapshot) -> Snapshot:
    """A snapshot itself; of a table, the one of now."""
    return table if isinstance(table, Snapshot) else table.snapshot()


def table_of(snapshot: Snapshot) -> LakeTable:
    """The table that a snapshot is of."""
    place = snapshot.place
    return place if isinstance(place, LakeTable) else LakeTable(place.key, place.uri)


@dataclass(frozen=True)
class Lake:
    """The root under which every table lies."""

    root: str

    @classmethod
    def at(cls, root: str, setting: str = "DQ_LAKE") -> Lake:
        """A lake at a path, made absolute, or at an object store's URI; raises ConfigError for a scheme of no store."""
        if wrong := wrong_scheme(root):
            raise ConfigError([Problem("", 0, f"{setting}={root}: {wrong}")])
        return cls(root.rstrip("/") if "://" in root else str(Path(root).absolute()))

    def table(self, key: str) -> LakeTable:
        return LakeTable(key, f"{self.root}/{key}")

    def keys(self) -> list[str]:
        """The tables that lie here, whether or not YAML names them; raises PublishError when the lake cannot be asked."""
        with reached("the lake", self.root):
            found = {
                f"{layer}/{name}"
                for layer in LAYERS
                for kind in formats.names()
                for name in formats.named(kind).tables_in(f"{self.root}/{layer}")
            }
        return sorted(found)


__all__ = ["LAYERS", "PARTITION", "Lake", "LakeTable", "TableOrSnapshot", "looked_at", "table_of"]
