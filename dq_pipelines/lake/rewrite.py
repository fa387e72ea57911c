"""Removes selected rows from a table: rewrites the files that hold them, in one commit.

Each file is rewritten separately with its rows in order, so that a file of bronze stays a file of one batch. A format's own
delete is not used: here one expression selects the rows that are counted, copied to a backup and removed, and only the
version that was read is changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import polars as pl
from polars import selectors

from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.lake.formats.commit import Commit, Note, ReplaceFiles
from dq_pipelines.lake.formats.snapshot import DataFile, Snapshot
from dq_pipelines.lake.publish import Publication
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.tables import PARTITION, LakeTable, table_of

#: Files that are searched in one query.
_AT_ONCE = 64

#: An internal column; no input has such a name.
_SELECTED = "_meant\x00"


class RowSelection(Protocol):
    """Selects rows of a table."""

    def selected(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The selected rows."""
        ...

    def rest(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The other rows, in their order."""
        ...


@dataclass(frozen=True)
class ByCondition:
    """Selects the rows for which a condition is true; null is not true."""

    condition: pl.Expr

    def selected(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.filter(self.condition)

    def rest(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.filter(~self.condition.fill_null(False))


@dataclass(frozen=True)
class ByKeys:
    """Selects the rows whose values are in a list, by columns of the same names."""

    list: pl.DataFrame

    def selected(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.join(self.list.lazy(), on=self.list.columns, how="semi", maintain_order="left")

    def rest(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.join(self.list.lazy(), on=self.list.columns, how="anti", maintain_order="left")


@dataclass(frozen=True)
class ByConditionOrKeys:
    """Selects the rows for which a condition is true, or whose values are in a list."""

    condition: pl.Expr
    list: pl.DataFrame

    def selected(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return self._marked(rows).filter(pl.col(_SELECTED)).drop(_SELECTED)

    def rest(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return self._marked(rows).filter(~pl.col(_SELECTED)).drop(_SELECTED)

    def _marked(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        listed = self.list.lazy().unique().with_columns(pl.lit(True).alias(_SELECTED))
        joined = rows.join(listed, on=self.list.columns, how="left", maintain_order="left")
        return joined.with_columns(
            (self.condition.fill_null(False) | pl.col(_SELECTED).fill_null(False)).alias(_SELECTED)
        )


@dataclass
class Removal:
    """A removal of selected rows from one version of a table."""

    snapshot: Snapshot
    chosen: RowSelection
    #: names the stages, so that two removals never share a folder
    name: str
    _parts: list[tuple[DataFile, Stage]] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.snapshot.key

    @property
    def table(self) -> LakeTable:
        return table_of(self.snapshot)

    def selected(self) -> pl.LazyFrame:
        """The rows to remove."""
        return self.chosen.selected(self.snapshot.scan())

    @cached_property
    def counts(self) -> dict[str, int]:
        """The number of rows to remove, by the path of their file; files without any are left out."""
        counts: dict[str, int] = {}
        files = self.snapshot.files
        for at in range(0, len(files), _AT_ONCE):
            part = files[at : at + _AT_ONCE]
            frames = collect_all([self.chosen.selected(file.scan()).select(pl.len()) for file in part])
            counts |= {file.path: int(frame.item()) for file, frame in zip(part, frames, strict=True)}
        return {path: rows for path, rows in counts.items() if rows}

    @property
    def rows(self) -> int:
        return sum(self.counts.values())

    @cached_property
    def stages(self) -> list[Stage]:
        """One stage for each file that keeps some of its rows."""
        return [stage for _, stage in self._kept()]

    def _kept(self) -> list[tuple[DataFile, Stage]]:
        if not self._parts:
            partly = [file for file in self.snapshot.files if 0 < self.counts.get(file.path, 0) < file.rows]
            self._parts = [
                (file, Stage(self.table, f"{self.name}-{at}", file.partition)) for at, file in enumerate(partly)
            ]
        return self._parts

    def write(self) -> None:
        """Stage the remaining rows of each changed file, one file after the other."""
        for file, stage in self._kept():
            kept = self.chosen.rest(file.scan()).select(~selectors.by_name(PARTITION, require_all=False))
            collect_all([stage.sink(kept)])

    def commit(
        self, consumed: Mapping[str, int], metadata: Mapping[str, str], once: Collection[str] = ()
    ) -> Publication:
        """Replace the files and record `consumed` in the ledger; the entries in `once` must be new there.

        Raises Overtaken when another writer has changed one of the files meanwhile.
        """
        gone = [file for file in self.snapshot.files if file.path in self.counts]
        version = replace_files(self.snapshot, gone, self.stages, consumed, metadata, once)
        return Publication(self.key, version, -self.rows)


def replace_files(
    snapshot: Snapshot,
    gone: Sequence[DataFile],
    stages: Sequence[Stage],
    consumed: Mapping[str, int],
    metadata: Mapping[str, str],
    once: Collection[str] = (),
    *,
    same_rows: bool = False,
) -> int:
    """Replace the files in `gone` by the staged ones and record `consumed` in the ledger, in one commit; returns its version.

    Raises Overtaken when another writer has changed one of the files meanwhile.
    """
    change = ReplaceFiles(tuple(gone), tuple(stages), same_rows)
    commit = Commit(change, consumed, metadata, dict.fromkeys(once), read=snapshot)
    for stage in stages:
        stage.named = None
    done = table_of(snapshot).commit(commit)
    for stage in stages:
        stage.named = True
    return done.version


def note(table: LakeTable, consumed: Mapping[str, int], metadata: Mapping[str, str]) -> None:
    """Record entries in the table's ledger, in a commit without rows."""
    table.commit(Commit(Note(), consumed, metadata))
