"""Upkeep: small files put together, checkpoints, and files that no version needs any more removed.

Whoever calls this holds the claim to the table, where there are claims. Rows, and their order, stay as they are.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import unquote

import polars as pl
from polars import selectors
from pyarrow import fs

from dq_pipelines.config.stores import filesystem, is_remote
from dq_pipelines.engine.interrupt import collect_all
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.ledger import named_files
from dq_pipelines.lake.publish import publish_errors
from dq_pipelines.lake.rewrite import DataFile, Snapshot, replace_files
from dq_pipelines.lake.staging import GRACE, Stage
from dq_pipelines.lake.table_lock import Claim, staged
from dq_pipelines.lake.tables import PARTITION, LakeTable, reached

#: Bytes: a file that is smaller is put together with others, up to this.
TARGET = 128 * 1024 * 1024


@dataclass(frozen=True)
class Compaction:
    """Small files that are to become few."""

    snapshot: Snapshot
    #: each of them becomes one file, or a few
    bins: tuple[tuple[DataFile, ...], ...]

    @classmethod
    def of(cls, table: LakeTable) -> Compaction | None:
        """What there is to do; None where nothing was ever published."""
        snapshot = Snapshot.of(table)
        return None if snapshot is None else cls(snapshot, tuple(_bins(snapshot.files)))

    @property
    def files(self) -> int:
        """How many files become fewer."""
        return sum(len(each) for each in self.bins)

    def run(self, claim: Claim, may_commit: Callable[[], None]) -> None:
        """Put them together, in one commit; raises PublishError should rows be missing afterwards, and commits nothing."""
        name, table = f"compact-{uuid.uuid4().hex[:16]}", self.snapshot.table
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
            replace_files(self.snapshot, gone, stages, {}, {"dq.upkeep": "compacted"}, data_change=False)


def _bins(files: list[DataFile]) -> Iterator[tuple[DataFile, ...]]:
    """Small files of one partition, oldest first, in groups of up to `TARGET` bytes; one alone is left as it is."""
    by_partition: dict[str | None, list[DataFile]] = {}
    for file in sorted(files, key=lambda file: file.modified):
        if file.size < TARGET:
            by_partition.setdefault(file.partition, []).append(file)
    for some in by_partition.values():
        group: list[DataFile] = []
        for file in some:
            if group and sum(each.size for each in group) + file.size > TARGET:
                yield from [tuple(group)] if len(group) > 1 else []
                group = []
            group.append(file)
        yield from [tuple(group)] if len(group) > 1 else []


def vacuum(table: LakeTable, keep: timedelta, *, dry_run: bool = False) -> list[str]:
    """Remove files that left the table longer ago than `keep`; their paths.

    In a store nobody holds a claim, and a file that no version names may be one that a run is about to commit
    (delta-rs #3645): there only files that a version has named are removed, and none younger than an hour.
    """
    delta = table.delta()
    if delta is None:
        return []
    remote = is_remote(table.uri)
    hours = int(max(keep, timedelta(seconds=GRACE) if remote else timedelta(0)).total_seconds() // 3600)
    with publish_errors(table.key, table.uri):
        gone = delta.vacuum(hours, dry_run=dry_run, enforce_retention_duration=False, full=not remote)
    if not dry_run and not remote:
        _remove_empty_folders(table)
    return gone


def forget_versions(table: LakeTable) -> list[str]:
    """Remove every file that the version of now does not need, and the log before it; the paths of data files.

    Who reads an earlier version fails from now on. The log goes too, since it holds the least and greatest values of files.
    """
    delta = table.opened()
    gone = vacuum(table, timedelta(0))
    with publish_errors(table.key, table.uri):
        files, root = filesystem(table.uri)
        if is_remote(table.uri):
            current = {file.path for file in Snapshot(table, delta).files}
            for path in sorted({unquote(path) for path in named_files(table)} - current):
                if files.get_file_info(f"{root}/{path}").type is fs.FileType.File:
                    files.delete_file(f"{root}/{path}")
                    gone.append(path)
        delta = table.opened()
        delta.create_checkpoint()
        for info in files.get_file_info(fs.FileSelector(f"{root}/_delta_log")):
            number = info.base_name.partition(".")[0]
            if number.isdecimal() and int(number) < delta.version():
                files.delete_file(info.path)
    return gone


def checkpoint(table: LakeTable) -> None:
    """Write what the log says so far into one file, so that it is read quickly; not twice for one version."""
    delta = table.opened()
    with publish_errors(table.key, table.uri):
        files, root = filesystem(table.uri)
        pointer = f"{root}/_delta_log/_last_checkpoint"
        if files.get_file_info(pointer).type is fs.FileType.File:
            with files.open_input_stream(pointer) as stream:
                if json.loads(stream.read())["version"] == delta.version():
                    return
        delta.create_checkpoint()


def _remove_empty_folders(table: LakeTable) -> None:
    with reached(table):
        files, root = filesystem(table.uri)
        infos = files.get_file_info(fs.FileSelector(root, recursive=True))
        folders = [info.path for info in infos if info.type is fs.FileType.Directory and "_delta_log" not in info.path]
        for folder in sorted(folders, key=len, reverse=True):
            if not files.get_file_info(fs.FileSelector(folder)):
                files.delete_dir(folder)
