"""Reads the files of Delta's log: its commits and last checkpoint, and whether they are complete.

A power loss may leave the newest commit with 0 bytes. delta-rs then shows the version before it under the new number. The
ledger entries of the commit are lost, and its batches would be consumed again. So such a log is rejected before any read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow as pa
from pyarrow import fs

from dq_pipelines.config.stores import filesystem
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.formats.delta.types import FOLDER
from dq_pipelines.lake.formats.snapshot import PARTITION


@dataclass(frozen=True)
class Log:
    """The files of one table's `_delta_log` at one moment."""

    #: `<layer>/<table>`
    key: str
    files: fs.FileSystem
    path: str
    #: the files of the folder, by name
    entries: tuple[fs.FileInfo, ...]

    @classmethod
    def of(cls, key: str, uri: str) -> Log | None:
        """None where there is no log. Raises PublishError when the newest commit has no actions."""
        log = cls.as_it_lies(key, uri)
        if log is not None and (torn := log.torn_newest()):
            raise PublishError(torn)
        return log

    @classmethod
    def as_it_lies(cls, key: str, uri: str) -> Log | None:
        """The same without a check of the newest commit; None where there is no log."""
        files, root = filesystem(uri)
        path = f"{root}/{FOLDER}"
        if files.get_file_info(path).type is not fs.FileType.Directory:
            return None
        entries = sorted(files.get_file_info(fs.FileSelector(path)), key=lambda info: str(info.base_name))
        return cls(key, files, path, tuple(entries))

    @property
    def version(self) -> int:
        """The newest version; -1 for a log without commits."""
        return max(self.commits[-1][0] if self.commits else -1, self.checkpoint[0])

    def up_to(self, version: int) -> Log:
        """The log as it was when this version was the newest."""
        return self if self.version <= version else replace(self, entries=tuple(self._entries_up_to(version)))

    def _entries_up_to(self, version: int) -> Iterator[fs.FileInfo]:
        for info in self.entries:
            stem = info.base_name.partition(".")[0]
            if not stem.isdecimal() or int(stem) <= version:
                yield info

    @cached_property
    def checkpoint(self) -> tuple[int, tuple[str, ...]]:
        """The version of the newest complete checkpoint and its files; -1 and no files where there is none.

        By the names in the folder: `_last_checkpoint` is only a hint, and a power loss may have torn it.
        """
        parts: dict[int, list[str]] = {}
        for info in self.entries:
            stem, _, ending = info.base_name.partition(".checkpoint.")
            if stem.isdecimal() and ending.endswith("parquet") and info.size:
                parts.setdefault(int(stem), []).append(info.path)
        whole = [version for version, paths in parts.items() if len(paths) >= _parts_wanted(paths[0])]
        return (max(whole), tuple(parts[max(whole)])) if whole else (-1, ())

    @cached_property
    def commits(self) -> tuple[tuple[int, fs.FileInfo], ...]:
        """Every remaining commit, by version."""
        named = [(info.base_name.partition("."), info) for info in self.entries]
        return tuple((int(stem), info) for (stem, _, ending), info in named if ending == "json" and stem.isdecimal())

    def checkpointed(self, kind: str) -> list[dict[str, Any]]:
        """The actions of this kind in the checkpoint; raises PublishError when it is torn."""
        import pyarrow.dataset as ds

        if not self.checkpoint[1]:
            return []
        try:
            rows = ds.dataset(list(self.checkpoint[1]), filesystem=self.files).to_table(columns=[kind])
        except pa.ArrowInvalid:
            if torn := self.torn_checkpoint():
                raise PublishError(torn) from None
            raise
        found: list[dict[str, Any]] = rows[kind].drop_null().to_pylist()
        return found

    def actions(self, after: int, *kinds: str) -> Iterator[dict[str, Any]]:
        """The actions of these kinds in the commits after a version, in order."""
        begins = {kind: f'{{"{kind}"'.encode() for kind in kinds}
        paths = [info.path for version, info in self.commits if version > after]
        with ThreadPoolExecutor(max_workers=8) as pool:  # in an object store, each read is a request
            for commit in pool.map(self._content, paths):
                lines = commit.splitlines()
                for kind, mark in begins.items():
                    yield from (json.loads(line)[kind] for line in lines if line.startswith(mark))

    def noted(self, name: str) -> tuple[int, set[str | None]] | None:
        """The last commit with a ledger entry: its version, and the partitions of the files it added."""
        for version, info in reversed(self.commits):
            lines = self._content(info.path).splitlines()
            entries = (json.loads(line)["txn"] for line in lines if line.startswith(b'{"txn"'))
            if any(entry["appId"] == name for entry in entries):
                adds = [json.loads(line)["add"]["partitionValues"] for line in lines if line.startswith(b'{"add"')]
                return version, {values.get(PARTITION) for values in adds}
        return None

    def _content(self, path: str) -> bytes:
        with self.files.open_input_stream(path) as stream:
            return bytes(stream.read())

    def torn_newest(self) -> str:
        """The error message for a newest commit without actions; empty where it is complete."""
        got = self._wrong_with(self.commits[-1][1]) if self.commits else ""
        return self._damaged(self.commits[-1][1], got) if got else ""

    def _wrong_with(self, info: fs.FileInfo) -> str:
        """What a commit's file is instead of complete lines of JSON; empty where it is complete."""
        lines = self._content(info.path).strip().splitlines()
        if not lines:
            return f"a file of {info.size} bytes{' and no text' if info.size else ''}"
        try:
            json.loads(lines[-1])
        except ValueError:
            return f"a torn file of {info.size} bytes"
        return ""

    def torn_checkpoint(self) -> str:
        """The error message for an unreadable checkpoint, after delta-rs failed; empty where all are readable."""
        for info in self.entries:
            is_one = ".checkpoint." in info.base_name and info.base_name.endswith(".parquet")
            if is_one and not self._content(info.path).endswith(b"PAR1"):
                return (
                    f"{info.path}: wanted a whole checkpoint of {self.key}, got a torn file of {info.size} bytes, as a power "
                    "loss leaves it; nothing was published; move it and _last_checkpoint away: the commits say the same"
                )
        return ""

    def torn_commit(self) -> str:
        """The error message for an incomplete earlier commit, after delta-rs failed; empty where all are complete."""
        for version, info in self.commits[:-1]:
            if version > self.checkpoint[0] and (got := self._wrong_with(info)):
                return (
                    f"{info.path}: wanted the actions of version {version} of {self.key}, got {got}; nothing was published; "
                    f"put it back from a copy: the versions after it, up to {self.commits[-1][0]}, build on it"
                )
        return ""

    def _damaged(self, info: fs.FileInfo, got: str) -> str:
        version = int(info.base_name.partition(".")[0])
        before = f"version {version - 1} is the newest" if version else "the table counts as never published"
        return (
            f"{info.path}: wanted the actions of version {version} of {self.key}, got {got}, as a power loss leaves it; "
            f"nothing was published; move the file away, so that {before}, and run {self.key.partition('/')[2]} again: "
            "the run makes what is missing anew, or says what to do"
        )


def _parts_wanted(path: str) -> int:
    """The number of files of a checkpoint: `<version>.checkpoint.<part>.<parts>.parquet`, or one."""
    parts = path.rpartition("/")[2].split(".")
    return int(parts[3]) if len(parts) == 5 and parts[3].isdecimal() else 1
