"""Stages rows for a table: Parquet files beneath it that are invisible until a commit names them.

A stage writes into a folder of its batch. Files that a killed run left there are removed when the same batch is staged
again, unless a commit named them.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import polars as pl
from pyarrow import fs

from dq_pipelines.config.stores import filesystem, is_remote
from dq_pipelines.lake.formats.commit import StagedFile
from dq_pipelines.lake.tables import PARTITION, LakeTable

#: Rows to a file; at 16 columns about 100 MB, the usual size.
ROWS_PER_FILE = 2_000_000

#: Polars' own level, 3, makes files 2 % smaller for 0.5 s more of CPU for each 6 million rows of 16 columns.
_ZSTD_LEVEL = 1

#: Seconds: in an object store, which has no claims, another run may still write younger files.
GRACE = 3600


@dataclass
class Stage:
    """The staged files of one batch for one table, written by one or more calls of `sink`."""

    table: LakeTable
    batch: str
    partition: str | None = None
    #: whether a commit named the files of the last attempt; None while a commit is in progress
    named: bool | None = False
    #: one folder per attempt, so that a repeated pass never mixes with the first
    _attempts: list[_Attempt] = field(default_factory=list)

    @property
    def folder(self) -> str:
        """The folder of its attempts, relative to the table."""
        # Hive style, since Polars takes partition values from the path.
        within = f"{PARTITION}={quote(self.partition, safe='')}/" if self.partition is not None else ""
        return f"{within}{self.batch}"

    def sink(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """A lazy sink of `rows`; only the last sink counts."""
        attempt = _Attempt(f"{self.folder}/{uuid.uuid4().hex[:8]}", self.table.format.storable(rows))
        self._attempts.append(attempt)
        target = pl.PartitionBy(f"{self.table.uri}/{attempt.folder}", max_rows_per_file=ROWS_PER_FILE)
        return attempt.rows.sink_parquet(
            target, mkdir=True, lazy=True, compression_level=_ZSTD_LEVEL, sinked_paths_callback=attempt.note
        )

    @property
    def schema(self) -> pl.Schema:
        """The staged columns, without the partition column."""
        return self._attempts[-1].rows.collect_schema()

    @property
    def files(self) -> Sequence[StagedFile]:
        """The files of the last attempt; none before one was written."""
        return self._attempts[-1].files if self._attempts else ()

    @property
    def rows(self) -> int:
        """Rows in the staged files, as their writer counted them."""
        return sum(file.rows for file in self._attempts[-1].files)

    @property
    def bytes(self) -> int:
        """Bytes of the staged files, as their writer counted them."""
        return sum(file.size for file in self._attempts[-1].files)

    def scan(self) -> pl.LazyFrame:
        """The staged rows, with the partition's column."""
        paths = [f"{self.table.uri}/{file.path}" for file in self._attempts[-1].files]
        rows = pl.scan_parquet(paths, hive_partitioning=False) if paths else pl.LazyFrame(schema=self.schema)
        return rows if self.partition is None else rows.with_columns(pl.lit(self.partition).alias(PARTITION))

    def prepare(self) -> None:
        """Check that the table's folder can be written; raises OSError before any work is done."""
        files, root = filesystem(self.table.uri)
        if not is_remote(self.table.uri):
            files.create_dir(f"{root}/{self.folder}", recursive=True)
            return
        # An object store has no folders: only a write shows whether it accepts one.
        probe = f"{root}/{self.folder}/{uuid.uuid4().hex[:8]}.probe"
        with files.open_output_stream(probe):
            pass
        files.delete_file(probe)

    def tidy(self) -> None:
        """Remove earlier attempts and leftovers of a killed run of this batch. Call it before the commit."""
        self._remove_unnamed(self._attempts[-1].folder if self._attempts else None)

    def discard_uncommitted(self) -> None:
        """Remove the staged files of this batch that no commit named."""
        self._remove_unnamed(self._attempts[-1].folder if self.named else None)

    def _remove_unnamed(self, current: str | None) -> None:
        files, root = filesystem(self.table.uri)
        selector = fs.FileSelector(f"{root}/{self.folder}", allow_not_found=True)
        attempts = [f"{self.folder}/{info.base_name}" for info in files.get_file_info(selector)]
        ours = {attempt.folder for attempt in self._attempts}
        superfluous = [
            folder
            for folder in attempts
            if folder != current and (folder in ours or not self._in_use(files, root, folder))
        ]
        # The usual case. In an object store, listing all named files takes one request for each commit.
        if self.named is not None and ours.issuperset(superfluous):
            self._remove(superfluous)
            return
        named = {path.split("/")[-2] for path in self.table.snapshot().retained_files() if "/" in path}
        self._remove(folder for folder in superfluous if folder.rpartition("/")[2] not in named)

    def _in_use(self, files: fs.FileSystem, root: str, folder: str) -> bool:
        """Whether another run may be writing into this attempt; never on a disk, where the claim excludes that."""
        if not is_remote(self.table.uri):
            return False
        written = [
            info.mtime_ns or 0 for info in files.get_file_info(fs.FileSelector(f"{root}/{folder}", recursive=True))
        ]
        return time.time() - max(written, default=0) / 1e9 < GRACE

    @property
    def begun(self) -> bool:
        """Whether anything was staged."""
        return bool(self._attempts)

    def _remove(self, folders: Iterable[str]) -> None:
        files, root = filesystem(self.table.uri)
        for folder in folders:
            if files.get_file_info(f"{root}/{folder}").type is fs.FileType.Directory:
                files.delete_dir(f"{root}/{folder}")
        # The batch's folder, and the folder of a partition where nothing was ever published.
        for folder in [self.folder, *([self.folder.rpartition("/")[0]] if self.partition is not None else [])]:
            path = f"{root}/{folder}"
            if files.get_file_info(path).type is fs.FileType.Directory and not files.get_file_info(
                fs.FileSelector(path)
            ):
                files.delete_dir(path)


@dataclass
class _Attempt:
    folder: str
    rows: pl.LazyFrame
    files: list[StagedFile] = field(default_factory=list)

    def note(self, sinked: Any) -> None:
        name = self.folder
        self.files = [
            StagedFile(name + path.path.rpartition(name)[2], path.num_rows, path.num_bytes) for path in sinked.paths
        ]
