"""Rewriting: some files of a table replaced by others in one commit, so that chosen rows are gone.

Which rows, and why, is the caller's business. Each file is rewritten by itself, with its rows in their order, so that
a file of bronze stays a file of one batch. delta-rs has a `delete` of its own; here one and the same expression says what
is counted, copied to a backup and removed, and only the version that was looked at is touched (and `delete` of 1.6
cannot compare a column of microseconds with any moment).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable
from deltalake.transaction import RemoveAction
from polars import selectors

from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.errors import Overtaken
from dq_pipelines.lake.durable import sync_commit
from dq_pipelines.lake.ledger import noting, transactions
from dq_pipelines.lake.publish import Publication, publish_errors
from dq_pipelines.lake.schema_evolution import exactly
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import PARTITION, LakeTable

#: Files that are looked through in one query.
_AT_ONCE = 64

#: A column of our own beside a table's; no input has such a name.
_MEANT = "_meant\x00"


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

    def removed(self, *, data_change: bool = True) -> RemoveAction:
        values: dict[str, str | None] = {} if self.partition is None else {PARTITION: self.partition}
        return RemoveAction(self.path, data_change, int(time.time() * 1000), size=self.size, partition_values=values)


@dataclass(frozen=True)
class Snapshot:
    """A table at one version: what is read, counted and removed are the same rows, whoever writes meanwhile."""

    table: LakeTable
    delta: DeltaTable

    @classmethod
    def of(cls, table: LakeTable) -> Snapshot | None:
        """The table as it is now, or None when nothing was ever published to it."""
        delta = table.delta()
        return None if delta is None else cls(table, delta)

    @property
    def key(self) -> str:
        """`<layer>/<table>`."""
        return self.table.key

    def scan(self) -> pl.LazyFrame:
        return pl.scan_delta(self.delta)

    @cached_property
    def schema(self) -> pl.Schema:
        return self.scan().collect_schema()

    @cached_property
    def files(self) -> list[DataFile]:
        adds = pl.DataFrame(self.delta.get_add_actions(flatten=True)).to_dicts()
        return [
            DataFile(
                path := unquote(add["path"]),
                f"{self.table.uri}/{path}",
                add["num_records"],
                add["size_bytes"],
                self.schema,
                add.get(f"partition.{PARTITION}"),
                int(add["modification_time"]),
            )
            for add in adds
        ]


class Chosen(Protocol):
    """Which rows are meant."""

    def among(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Those of `rows` that are meant."""
        ...

    def beside(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The others, in their order."""
        ...


@dataclass(frozen=True)
class Meeting:
    """The rows for which a condition is true; one that is null is not."""

    condition: pl.Expr

    def among(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.filter(self.condition)

    def beside(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.filter(~self.condition.fill_null(False))


@dataclass(frozen=True)
class Listed:
    """The rows whose values stand in a list, in columns of the same names."""

    list: pl.DataFrame

    def among(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.join(self.list.lazy(), on=self.list.columns, how="semi", maintain_order="left")

    def beside(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.join(self.list.lazy(), on=self.list.columns, how="anti", maintain_order="left")


@dataclass(frozen=True)
class Either:
    """The rows for which a condition is true, and those whose values stand in a list."""

    condition: pl.Expr
    list: pl.DataFrame

    def among(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return self._marked(rows).filter(pl.col(_MEANT)).drop(_MEANT)

    def beside(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return self._marked(rows).filter(~pl.col(_MEANT)).drop(_MEANT)

    def _marked(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        listed = self.list.lazy().unique().with_columns(pl.lit(True).alias(_MEANT))
        joined = rows.join(listed, on=self.list.columns, how="left", maintain_order="left")
        return joined.with_columns((self.condition.fill_null(False) | pl.col(_MEANT).fill_null(False)).alias(_MEANT))


@dataclass
class Removal:
    """Rows of a table that are to go."""

    snapshot: Snapshot
    chosen: Chosen
    #: names the stages, so that two removals never share a folder
    name: str
    _parts: list[tuple[DataFile, Stage]] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.snapshot.table.key

    def among(self) -> pl.LazyFrame:
        """The rows that are to go, for somebody who copies them first."""
        return self.chosen.among(self.snapshot.scan())

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many rows go, by the path of their file; files without any are left out."""
        found: dict[str, int] = {}
        files = self.snapshot.files
        for at in range(0, len(files), _AT_ONCE):
            some = files[at : at + _AT_ONCE]
            counted = collect_all([self.chosen.among(file.scan()).select(pl.len()) for file in some])
            found |= {file.path: int(frame.item()) for file, frame in zip(some, counted, strict=True)}
        return {path: rows for path, rows in found.items() if rows}

    @property
    def rows(self) -> int:
        return sum(self.counts.values())

    @cached_property
    def stages(self) -> list[Stage]:
        """One for each file that keeps some of its rows."""
        return [stage for _, stage in self._kept()]

    def _kept(self) -> list[tuple[DataFile, Stage]]:
        if not self._parts:
            some = [file for file in self.snapshot.files if 0 < self.counts.get(file.path, 0) < file.rows]
            table = self.snapshot.table
            self._parts = [(file, Stage(table, f"{self.name}-{at}", file.partition)) for at, file in enumerate(some)]
        return self._parts

    def write(self) -> None:
        """Write what stays of the files that lose rows, one after the other."""
        for file, stage in self._kept():
            kept = self.chosen.beside(file.scan()).select(~selectors.by_name(PARTITION, require_all=False))
            collect_all([stage.sink(kept)])

    def commit(
        self, consumed: Mapping[str, int], metadata: Mapping[str, str], once: Collection[str] = ()
    ) -> Publication:
        """Replace the files, and note in the ledger what it was for; what of it is in `once` must be new there.

        Raises Overtaken when somebody has changed one of the files meanwhile.
        """
        must_be_new(self.snapshot.table, once)
        gone = [file for file in self.snapshot.files if file.path in self.counts]
        replace_files(self.snapshot, gone, self.stages, consumed, metadata)
        return Publication(self.key, self.snapshot.table.opened().version(), -self.rows)


def replace_files(
    snapshot: Snapshot,
    gone: Sequence[DataFile],
    stages: Sequence[Stage],
    consumed: Mapping[str, int],
    metadata: Mapping[str, str],
    *,
    data_change: bool = True,
) -> None:
    """One commit by which the staged files stand for those that are gone, and the ledger notes what it was for.

    Raises Overtaken when somebody has changed one of the files meanwhile.
    """
    adds = [replace(add, data_change=data_change) for stage in stages for add in stage.add_actions()]
    properties = noting(consumed, metadata)
    with publish_errors(snapshot.table.key, snapshot.table.uri):
        for stage in stages:
            stage.named = None
        snapshot.delta.create_write_transaction(
            [*(file.removed(data_change=data_change) for file in gone), *adds],
            "append",
            snapshot.delta.schema(),
            partition_by=snapshot.delta.metadata().partition_columns,
            commit_properties=properties,
        )
        sync_commit(snapshot.table)
        for stage in stages:
            stage.named = True


def must_be_new(table: LakeTable, names: Collection[str]) -> None:
    """Raise Overtaken when one of these names stands in the table's ledger."""
    known = transactions(table) if names else {}
    if done := [name for name in names if name in known]:
        raise Overtaken(f"{table.key}: another run has done {done[0]} meanwhile")


def note(table: LakeTable, consumed: Mapping[str, int], metadata: Mapping[str, str]) -> None:
    """A commit without rows, which says something in the table's ledger."""
    delta = table.opened()
    properties = noting(consumed, metadata)
    with publish_errors(table.key, table.uri):
        delta.create_write_transaction(
            [], "append", delta.schema(), partition_by=delta.metadata().partition_columns, commit_properties=properties
        )
        sync_commit(table)
