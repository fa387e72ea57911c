"""Compares the data files that a table's log names with the stored files. `forget_files` takes lost ones out of the log.

The format itself reports damage of its own records.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from dq_pipelines.config.counting import counted
from dq_pipelines.config.stores import filesystem, is_remote
from dq_pipelines.lake.failures import read_errors
from dq_pipelines.lake.formats.snapshot import DataFile
from dq_pipelines.lake.ledger import lost_from
from dq_pipelines.lake.rewrite import replace_files
from dq_pipelines.lake.tables import LakeTable

#: The last bytes of a Parquet file.
_END = b"PAR1"

#: How to repair a lost file of each layer.
_REMEDIES = {
    "bronze": "put it back from a copy; without one, and where all inputs of TABLE are still at the source, move bronze/TABLE "
    "away and run TABLE with mode: rerun, which lands them again",
    "silver": "put it back from a copy, or run TABLE with mode: rerun, which makes silver anew from bronze",
    "quarantine": "put it back from a copy; without one, dq doctor --repair takes it out of the log, and a run of TABLE with "
    "mode: rerun makes quarantine anew from bronze, without what people said of its rows",
    "gold": "materialize gold/TABLE again, which computes all of it",
}


@dataclass(frozen=True)
class DamagedFile:
    """A data file of a table's newest version that is missing or torn."""

    table: LakeTable
    file: DataFile
    #: what is there instead: the words after "got"
    got: str

    @property
    def remedy(self) -> str:
        """How to repair it."""
        layer, name = self.table.key.split("/")
        return _REMEDIES[layer].replace("TABLE", name)

    def __str__(self) -> str:
        return f"{self.file.uri}: wanted the data file of {counted(self.file.rows, 'row')} that {self.table.key} names, got {self.got}"


def damaged_files(table: LakeTable) -> list[DamagedFile]:
    """The data files of a table that are missing or torn; empty where nothing was published.

    Checks names, sizes and last bytes; does not read whole files. Raises PublishError when the log cannot be read.
    """
    snapshot = table.published()
    if snapshot is None or not table.format.capabilities.files:
        return []
    with read_errors(table.key, table.uri):
        stored = stored_files(table)
        return [
            DamagedFile(table, file, got)
            for file in snapshot.files
            if (got := _wrong_with(table, file, stored.get(file.path)))
        ]


def stored_files(table: LakeTable) -> dict[str, fs.FileInfo]:
    """The Parquet files beneath a table by path, named or not, without the format's own records. May raise OSError."""
    files, root = filesystem(table.uri)
    infos = files.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    found = {info.path[len(root) :].lstrip("/"): info for info in infos if info.type is fs.FileType.File}
    is_record = table.format.is_record
    return {path: info for path, info in found.items() if path.endswith(".parquet") and not is_record(path)}


def unnamed_files(table: LakeTable) -> list[str]:
    """The paths of data files beneath a table that no version names: leftovers of a killed run."""
    if not table.format.capabilities.files:
        return []
    named = table.snapshot().retained_files()
    with read_errors(table.key, table.uri):
        return sorted(path for path in stored_files(table) if path not in named)


def forget_files(table: LakeTable, files: Sequence[DataFile]) -> None:
    """Take files out of a table's log in one commit, and record in the ledger that their rows are lost. Raises PublishError."""
    snapshot = table.published()
    if snapshot is not None:
        now = time.time_ns() // 1_000
        noted = {name: at for file in files for name, at in lost_from(file.partition, now, snapshot.ledger).items()}
        replace_files(snapshot, list(files), [], noted, {"dq.doctor": "took lost files out of the log"})


def _wrong_with(table: LakeTable, file: DataFile, info: fs.FileInfo | None) -> str:
    if info is None:
        return "none"
    if info.size != file.size:
        return f"one of {counted(info.size, 'byte')} instead of {file.size:,}"
    if not is_remote(table.uri) and not _has_parquet_end(file.uri):
        return "one whose end is no Parquet"
    return ""


def _has_parquet_end(path: str) -> bool:
    with Path(path.removeprefix("file://")).open("rb") as stream:
        stream.seek(-len(_END), 2)
        return stream.read() == _END
