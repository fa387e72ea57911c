"""Rewriting: some files of a table replaced by others in one commit, so that chosen rows are gone.

Which rows, and why, is the caller's business. Each file is rewritten by itself, with its rows in their order, so that
a file of bronze stays a file of one batch. A format may have a deletion of its own; here one and the same expression says what
is counted, copied to a backup and removed, and only the version that was looked at is touched.
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

#: Files that are looked through in one query.
_AT_ONCE = 64

#: A column of our own beside a table's; no input has such a name.
_SELECTED = "_meant\x00"


class RowSelection(Protocol):
    """Which rows are meant."""

    def selected(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Those of `rows` that are meant."""
        ...

    def rest(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The others, in their order."""
        ...


@dataclass(frozen=True)
class ByCondition:
    """The rows for which a condition is true; one that is null is not."""

    condition: pl.Expr

    def selected(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.filter(self.condition)

    def rest(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.filter(~self.condition.fill_null(False))


@dataclass(frozen=True)
class ByKeys:
    """The rows whose values stand in a list, in columns of the same names."""

    list: pl.DataFrame

    def selected(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.join(self.list.lazy(), on=self.list.columns, how="semi", maintain_order="left")

    def rest(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.join(self.list.lazy(), on=self.list.columns, how="anti", maintain_order="left")


@dataclass(frozen=True)
class ByConditionOrKeys:
    """The rows for which a condition is true, and those whose values stand in a list."""

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
    """Rows of a table that are to go."""

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
        """The rows that are to go, for somebody who copies them first."""
        return self.chosen.selected(self.snapshot.scan())

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many rows go, by the path of their file; files without any are left out."""
        found: dict[str, int] = {}
        files = self.snapshot.files
        for at in range(0, len(files), _AT_ONCE):
            some = files[at : at + _AT_ONCE]
            counted = collect_all([self.chosen.selected(file.scan()).select(pl.len()) for file in some])
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
            self._parts = [
                (file, Stage(self.table, f"{self.name}-{at}", file.partition)) for at, file in enumerate(some)
            ]
        return self._parts

    def write(self) -> None:
        """Write what stays of the files that lose rows, one after the other."""
        for file, stage in self._kept():
            kept = self.chosen.rest(file.scan()).select(~selectors.by_name(PARTITION, require_all=False))
            collect_all([stage.sink(kept)])

    def commit(
        self, consumed: Mapping[str, int], metadata: Mapping[str, str], once: Collection[str] = ()
    ) -> Publication:
        """Replace the files, and note in the ledger what it was for; what of it is in `once` must be new there.

        Raises Overtaken when somebody has changed one of the files meanwhile.
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
    """One commit by which the staged files stand for those that are gone, and the ledger notes what it was for; its version.

    Raises Overtaken when somebody has changed one of the files meanwhile.
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
    """A commit without rows, which says something in the table's ledger."""
    table.commit(Commit(Note(), consumed, metadata))
