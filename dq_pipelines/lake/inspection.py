"""Inspection: the data files that a table's log names, held against those that lie beneath it. Nothing is changed.

What is wrong with its own records, its format says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from dq_pipelines.config.counting import counted
from dq_pipelines.config.stores import filesystem, is_remote
from dq_pipelines.lake.failures import reached
from dq_pipelines.lake.formats.snapshot import DataFile
from dq_pipelines.lake.ledger import lost_from
from dq_pipelines.lake.rewrite import replace_files
from dq_pipelines.lake.tables import LakeTable

#: What a Parquet file ends with.
_END = b"PAR1"

#: What makes a layer's lost file anew.
_REMEDIES = {
    "bronze": "put it back from a copy; without one, and where all inputs of TABLE are still at the source, move bronze/TABLE "
    "away and run TABLE with mode: rerun, which lands them again",
    "silver": "put it back from a copy, or run TABLE with mode: rerun, which makes silver anew from bronze",
    "quarantine": "put it back from a copy; without one, dq doctor --repair takes it out of the log, and a run of TABLE with "
    "mode: rerun makes quarantine anew from bronze, without what people said of its rows",
    "gold": "materialize gold/TABLE again, which computes all of it",
}


@dataclass(frozen=True)
class Harmed:
    """A data file that the newest version of a table names, and that is not there as it was written."""

    table: LakeTable
    file: DataFile
    #: what is there instead, as a sentence goes on after "got"
    got: str

    @property
    def remedy(self) -> str:
        """What makes it whole again."""
        layer, name = self.table.key.split("/")
        return _REMEDIES[layer].replace("TABLE", name)

    def __str__(self) -> str:
        return f"{self.file.uri}: wanted the data file of {counted(self.file.rows, 'row')} that {self.table.key} names, got {self.got}"


def harmed_files(table: LakeTable) -> list[Harmed]:
    """The data files of a table that are missing or torn; none where nothing was published.

    By name, size and last bytes: files are not read. Raises PublishError when the log cannot be read.
    """
    snapshot = table.published()
    if snapshot is None or not table.format.capabilities.files:
        return []
    with reached(table.key, table.uri):
        lying = lying_files(table)
        return [
            Harmed(table, file, got)
            for file in snapshot.files
            if (got := _wrong_with(table, file, lying.get(file.path)))
        ]


def lying_files(table: LakeTable) -> dict[str, fs.FileInfo]:
    """The Parquet files beneath a table by path, whoever named them; those that are the format's own records are left out. May raise OSError."""
    files, root = filesystem(table.uri)
    infos = files.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    found = {info.path[len(root) :].lstrip("/"): info for info in infos if info.type is fs.FileType.File}
    is_record = table.format.is_record
    return {path: info for path, info in found.items() if path.endswith(".parquet") and not is_record(path)}


def unnamed_files(table: LakeTable) -> list[str]:
    """The paths of data files beneath a table that no version names: what a killed run has left staged."""
    if not table.format.capabilities.files:
        return []
    named = table.snapshot().retained_files()
    with reached(table.key, table.uri):
        return sorted(path for path in lying_files(table) if path not in named)


def forget_files(table: LakeTable, files: Sequence[DataFile]) -> None:
    """Take files out of a table's log, in one commit: their rows are lost there, and the ledger says so. Raises PublishError."""
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
    if not is_remote(table.uri) and not _ends_whole(file.uri):
        return "one whose end is no Parquet"
    return ""


def _ends_whole(path: str) -> bool:
    with Path(path.removeprefix("file://")).open("rb") as stream:
        stream.seek(-len(_END), 2)
        return stream.read() == _END
