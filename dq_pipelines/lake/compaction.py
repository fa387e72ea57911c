"""Compacts small files, writes checkpoints, and removes files that no version needs any more.

The caller holds the claim to the table, where there are claims. Rows and their order do not change.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import polars as pl
from polars import selectors

from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.formats.snapshot import DataFile, Snapshot
from dq_pipelines.lake.rewrite import replace_files
from dq_pipelines.lake.staging import Stage
from dq_pipelines.lake.table_lock import Claim, staged
from dq_pipelines.lake.tables import PARTITION, LakeTable, table_of

#: Bytes: smaller files are compacted into files up to this size.
TARGET = 128 * 1024 * 1024


@dataclass(frozen=True)
class Compaction:
    """A plan to compact small files."""

    snapshot: Snapshot
    #: groups of files; each group becomes one file, or a few
    bins: tuple[tuple[DataFile, ...], ...]

    @classmethod
    def of(cls, table: LakeTable) -> Compaction | None:
        """The plan for a table; None where nothing was ever published."""
        snapshot = table.published()
        return None if snapshot is None else cls(snapshot, tuple(_bins(snapshot.files)))

    @property
    def files(self) -> int:
        """The number of files to compact."""
        return sum(len(each) for each in self.bins)

    def run(self, claim: Claim, may_commit: Callable[[], None]) -> None:
        """Compact the files in one commit. Raises PublishError, and commits nothing, if the number of rows differs."""
        name, table = f"compact-{uuid.uuid4().hex[:16]}", table_of(self.snapshot)
        stages = [Stage(table, f"{name}-{at}", each[0].partition) for at, each in enumerate(self.bins)]
        with staged(*stages, claim=claim):
            for stage, files in zip(stages, self.bins, strict=True):
                rows = pl.concat([file.scan() for file in files])
                collect_all([stage.sink(rows.select(~selectors.by_name(PARTITION, require_all=False)))])
            wanted, got = sum(file.rows for each in self.bins for file in each), sum(stage.rows for stage in stages)
            if wanted != got:
                raise PublishError(
                    f"{table.key}: wanted {wanted:,} rows in compacted files, got {got:,}: nothing changed"
                )
            may_commit()
            gone = [file for each in self.bins for file in each]
            replace_files(self.snapshot, gone, stages, {}, {"dq.upkeep": "compacted"}, same_rows=True)


def _bins(files: list[DataFile]) -> Iterator[tuple[DataFile, ...]]:
    """Groups of small files of one partition, oldest first, of up to `TARGET` bytes. A single file is left as it is."""
    by_partition: dict[str | None, list[DataFile]] = {}
    for file in sorted(files, key=lambda file: file.modified):
        if file.size < TARGET:
            by_partition.setdefault(file.partition, []).append(file)
    for candidates in by_partition.values():
        group: list[DataFile] = []
        for file in candidates:
            if group and sum(each.size for each in group) + file.size > TARGET:
                yield from [tuple(group)] if len(group) > 1 else []
                group = []
            group.append(file)
        yield from [tuple(group)] if len(group) > 1 else []


def vacuum(table: LakeTable, keep: timedelta, *, dry_run: bool = False) -> list[str]:
    """Remove files that left the table longer ago than `keep`; returns their paths."""
    return table.format.expire(table, keep, dry_run=dry_run)


def forget_versions(table: LakeTable) -> list[str]:
    """Remove every file that the current version does not need, and all earlier versions; returns the paths of data files.

    Readers of an earlier version fail from now on.
    """
    return table.format.forget_versions(table)


def checkpoint(table: LakeTable) -> None:
    """Write a checkpoint, so that the table opens quickly."""
    table.format.checkpoint(table)
