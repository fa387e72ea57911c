"""Reads the files of Delta's log: its commits and last checkpoint, and whether they are complete.

A power loss may leave the newest commit with 0 bytes. delta-rs then shows the version before it under the new number. The
ledger entries of the commit are lost, and its batches would be consumed again. So such a log is rejected before any read.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pyarrow as pa
from pyarrow import fs
from pyarrow import parquet as pq

from dq_pipelines.config.stores import filesystem, is_remote
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.formats.delta.types import FOLDER
from dq_pipelines.lake.formats.snapshot import PARTITION

#: Delta's hint to the newest checkpoint.
_HINT = "_last_checkpoint"

#: A commit's file: its name, bytes, and when it was written, in nanoseconds.
CommitIdentity = tuple[str, int, int]


@dataclass(frozen=True)
class Log:
    """The files of one table's `_delta_log` at one moment."""

    #: `<layer>/<table>`
    key: str
    files: fs.FileSystem
    path: str
    #: the names of the folder's files, in order: on a disk no file is asked for its size, since a log may have thousands
    names: tuple[str, ...]
    #: their sizes and times, from the listing of an object store
    _listed: Mapping[str, fs.FileInfo] = field(default_factory=dict, repr=False)

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
        if not is_remote(uri):
            try:
                return cls(key, files, path, tuple(sorted(os.listdir(path))))  # noqa: PTH208 - names alone, five times as quick as paths
            except (FileNotFoundError, NotADirectoryError):
                return None
        if files.get_file_info(path).type is not fs.FileType.Directory:
            return None
        listed = {str(info.base_name): info for info in files.get_file_info(fs.FileSelector(path))}
        return cls(key, files, path, tuple(sorted(listed)), listed)

    def identity(self, commit: str) -> CommitIdentity | None:
        """What tells a commit's file from another one of the same name; None where a store does not say when it was written."""
        info = self.info(commit)
        return None if info.mtime_ns is None else (commit, info.size, info.mtime_ns)

    def info(self, name: str) -> fs.FileInfo:
        """Size and time of a file of the folder."""
        return self._listed.get(name) or self.files.get_file_info(f"{self.path}/{name}")

    @property
    def version(self) -> int:
        """The newest version; -1 for a log without commits."""
        newest = self.newest_commit
        return max(-1 if newest is None else _number(newest), self.checkpoint[0])

    def up_to(self, version: int) -> Log:
        """The log as it was when this version was the newest."""
        if self.version <= version:
            return self
        end = bisect_left(self.names, f"{version + 1:020}")
        unversioned = (name for name in self.names[end:] if not name.partition(".")[0].isdecimal())
        return replace(self, names=(*self.names[:end], *unversioned))

    @cached_property
    def checkpoint(self) -> tuple[int, tuple[str, ...]]:
        """The version of the newest complete checkpoint and its files' names; -1 and no files where there is none.

        By the names in the folder: `_last_checkpoint` is only a hint, and a power loss may have torn it.
        """
        parts: dict[int, list[str]] = {}
        for name in (each for each in self.names if ".checkpoint." in each):
            stem, _, ending = name.partition(".checkpoint.")
            if ending.endswith("parquet") and stem.isdecimal():
                parts.setdefault(int(stem), []).append(name)
        for version in sorted(parts, reverse=True):
            whole = [name for name in parts[version] if self.info(name).size]
            if whole and len(whole) >= _parts_wanted(whole[0]):
                return version, tuple(whole)
        return -1, ()

    @cached_property
    def commits(self) -> tuple[str, ...]:
        """The names of all remaining commits, by version."""
        return tuple(name for name in self.names if _is_commit(name))

    @property
    def newest_commit(self) -> str | None:
        """The name of the newest commit's file; None for a log without commits."""
        return next((name for name in reversed(self.names) if _is_commit(name)), None)

    @property
    def is_whole(self) -> bool:
        """Whether the commits alone say all: none has been removed behind a checkpoint."""
        return bool(self.commits) and _number(self.commits[0]) == 0

    def __contains__(self, name: str) -> bool:
        """Whether the folder has a file of this name."""
        at = bisect_left(self.names, name)
        return self.names[at : at + 1] == (name,)

    def commits_after(self, version: int) -> tuple[str, ...]:
        """The names of the commits after a version, in order."""
        later = self.names[bisect_left(self.names, f"{version + 1:020}") :]
        return tuple(name for name in later if _is_commit(name))

    def checkpointed(self, kind: str) -> list[dict[str, Any]]:
        """The actions of this kind in the checkpoint; raises PublishError when it is torn."""
        actions = self._checkpointed(kind)
        return [] if actions is None else [action for action in actions.to_pylist() if action is not None]

    def checkpointed_entries(self) -> dict[str, int]:
        """The ledger entries in the checkpoint: the last number by name. Raises PublishError when it is torn."""
        actions = self._checkpointed("txn")
        if actions is None:
            return {}
        # Not a dict for each entry: a table of 100,000 inputs has 300,000.
        fields = dict(zip((one.name for one in actions.type), actions.flatten(), strict=True))
        pairs = zip(fields["appId"].to_pylist(), fields["version"].to_pylist(), strict=True)
        return {name: number for name, number in pairs if name is not None}

    def _checkpointed(self, kind: str) -> pa.ChunkedArray | None:
        """The actions of this kind, with null for each action of another kind; None where there is no checkpoint."""
        if not self.checkpoint[1]:
            return None
        # Neither pyarrow.dataset nor kernels: the imports of pandas and pyarrow.compute take longer than a small batch.
        try:
            parts = [self._column(name, kind) for name in self.checkpoint[1]]
        except pa.ArrowInvalid:
            if torn := self.torn_checkpoint():
                raise PublishError(torn) from None
            raise
        return pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)

    def _column(self, name: str, column: str) -> pa.ChunkedArray:
        with self.files.open_input_file(f"{self.path}/{name}") as file:
            return pq.ParquetFile(file).read([column])[column]

    def actions(self, after: int, *kinds: str) -> Iterator[dict[str, Any]]:
        """The actions of these kinds in the commits after a version, in order."""
        begins = {kind: f'{{"{kind}"'.encode() for kind in kinds}
        for commit in self._contents(self.commits_after(after)):
            lines = commit.splitlines()
            for kind, mark in begins.items():
                yield from (json.loads(line)[kind] for line in lines if line.startswith(mark))

    def _contents(self, names: Sequence[str]) -> Iterator[bytes]:
        """The bytes of these files, in order."""
        if len(names) < 2:
            yield from map(self.content, names)
            return
        with ThreadPoolExecutor(max_workers=8) as pool:  # in an object store, each read is a request
            yield from pool.map(self.content, names)

    def noted(self, name: str) -> tuple[int, set[str | None]] | None:
        """The last commit with a ledger entry: its version, and the partitions of the files it added."""
        for commit in reversed(self.commits):
            lines = self.content(commit).splitlines()
            entries = (json.loads(line)["txn"] for line in lines if line.startswith(b'{"txn"'))
            if any(entry["appId"] == name for entry in entries):
                adds = [json.loads(line)["add"]["partitionValues"] for line in lines if line.startswith(b'{"add"')]
                return _number(commit), {values.get(PARTITION) for values in adds}
        return None

    def content(self, name: str) -> bytes:
        """The bytes of a file of the folder."""
        with self.files.open_input_stream(f"{self.path}/{name}") as stream:
            return bytes(stream.read())

    def torn_newest(self) -> str:
        """The error message for a newest commit without actions; empty where it is complete."""
        newest = self.newest_commit
        got = "" if newest is None else self._wrong_with(newest)
        return self._damaged(newest, got) if newest is not None and got else ""

    def _wrong_with(self, name: str) -> str:
        """What a commit's file is instead of complete lines of JSON; empty where it is complete."""
        content = self.content(name)
        lines = content.strip().splitlines()
        if not lines:
            return f"a file of {len(content)} bytes{' and no text' if content else ''}"
        try:
            json.loads(lines[-1])
        except ValueError:
            return f"a torn file of {len(content)} bytes"
        return ""

    def torn_checkpoint(self) -> str:
        """The error message for an unreadable checkpoint, after delta-rs failed; empty where all are readable."""
        for name in self.names:
            if ".checkpoint." not in name or not name.endswith(".parquet"):
                continue
            content = self.content(name)
            if not content.endswith(b"PAR1"):
                return (
                    f"{self.path}/{name}: wanted a whole checkpoint of {self.key}, got a torn file of {len(content)} bytes, as a "
                    "power loss leaves it; nothing was published; move it and _last_checkpoint away: the commits say the same"
                )
        return ""

    def checkpoint_of(self, version: int) -> tuple[str, ...]:
        """The paths of the checkpoint's files of a version and of Delta's hint to it; empty where there is none."""
        begin = f"{version:020}.checkpoint."
        files = tuple(f"{self.path}/{name}" for name in self.names if name.startswith(begin))
        return (*files, f"{self.path}/{_HINT}") if files else ()

    def says_all_up_to(self, version: int) -> bool:
        """Whether the files of versions up to this one are enough to read it."""
        earlier = self.up_to(version)
        return earlier.version == version and (earlier.is_whole or bool(earlier.checkpoint[1]))

    def lone_checkpoint(self) -> str:
        """The error message for a newest version that is a checkpoint without its commit; empty where it is none."""
        version, files = self.checkpoint
        if not files or self.commits_after(version - 1):  # an expired commit is missed by no later one
            return ""
        return (
            f"{self.path}/{files[0]}: wanted the commit of version {version} of {self.key} beside its checkpoint, got none, and no "
            f"commit can follow; dq doctor --repair moves the checkpoint away, so that version {version - 1} is the newest"
        )

    def lost_checkpoint(self) -> str:
        """The error message for a hint to a checkpoint that is gone, which keeps delta-rs from the commits; empty where there is none."""
        if _HINT not in self:
            return ""
        try:
            version = int(json.loads(self.content(_HINT))["version"])
        except (ValueError, KeyError, TypeError):
            return ""  # delta-rs passes over a torn hint
        if any(name.startswith(f"{version:020}.checkpoint.") for name in self.names):
            return ""
        return f"{self.path}/{_HINT}: wanted the checkpoint of version {version} of {self.key}, which it names, got none; dq doctor names the remedy"

    def torn_commit(self) -> str:
        """The error message for an incomplete earlier commit, after delta-rs failed; empty where all are complete."""
        for name in self.commits_after(self.checkpoint[0])[:-1]:
            if got := self._wrong_with(name):
                return (
                    f"{self.path}/{name}: wanted the actions of version {_number(name)} of {self.key}, got {got}; nothing was "
                    f"published; put it back from a copy: the versions after it, up to {self.version}, build on it"
                )
        return ""

    def _damaged(self, name: str, got: str) -> str:
        version = _number(name)
        before = f"version {version - 1} is the newest" if version else "the table counts as never published"
        what = (
            "the file, the checkpoint of its version and _last_checkpoint"
            if self.checkpoint_of(version)
            else "the file"
        )
        return (
            f"{self.path}/{name}: wanted the actions of version {version} of {self.key}, got {got}, as a power loss leaves it; "
            f"nothing was published; move {what} away, so that {before}, and run {self.key.partition('/')[2]} again: "
            "the run makes what is missing anew, or says what to do"
        )


def _is_commit(name: str) -> bool:
    stem, _, ending = name.partition(".")
    return ending == "json" and stem.isdecimal()


def _number(commit: str) -> int:
    """The version of a commit's file."""
    return int(commit.partition(".")[0])


def _parts_wanted(name: str) -> int:
    """The number of files of a checkpoint: `<version>.checkpoint.<part>.<parts>.parquet`, or one."""
    parts = name.split(".")
    return int(parts[3]) if len(parts) == 5 and parts[3].isdecimal() else 1
