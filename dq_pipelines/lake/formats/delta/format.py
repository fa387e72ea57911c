"""Delta tables, by delta-rs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import polars as pl
from pyarrow import fs

from dq_pipelines.config.stores import filesystem, is_remote
from dq_pipelines.errors import PublishError
from dq_pipelines.lake.failures import reached
from dq_pipelines.lake.formats.base import Capabilities, Damage, TableFormat
from dq_pipelines.lake.formats.commit import Commit, Committed
from dq_pipelines.lake.formats.delta import housekeeping
from dq_pipelines.lake.formats.delta.commits import committed, newest_entries
from dq_pipelines.lake.formats.delta.log import FOLDER, Log
from dq_pipelines.lake.formats.delta.snapshot import DeltaSnapshot, snapshot_of
from dq_pipelines.lake.formats.delta.types import delta_type
from dq_pipelines.lake.formats.snapshot import Place, Snapshot


class DeltaFormat(TableFormat):
    """A folder of Parquet files with a log of commits."""

    name: ClassVar[str] = "delta"
    capabilities: ClassVar[Capabilities] = Capabilities(
        merge=True, partitions=True, time_travel=True, new_columns=True, files=True
    )
    records: ClassVar[Sequence[str]] = (f"{FOLDER}/*",)

    def snapshot(self, place: Place) -> Snapshot:
        return snapshot_of(place)

    def entries(self, place: Place) -> Mapping[str, int]:
        with reached(place.key, place.uri):
            return newest_entries(place)

    def commit(self, place: Place, commit: Commit) -> Committed:
        return committed(place, commit)

    def stored_type(self, dtype: pl.DataType) -> pl.DataType | None:
        return delta_type(dtype)

    def lies_at(self, place: Place) -> bool:
        files, root = filesystem(place.uri)
        return bool(files.get_file_info(fs.FileSelector(f"{root}/{FOLDER}", allow_not_found=True)))

    def tables_in(self, folder: str) -> Sequence[str]:
        files, root = filesystem(folder)
        return [
            found.base_name
            for found in files.get_file_info(fs.FileSelector(root, allow_not_found=True))
            if found.type is fs.FileType.Directory
            and files.get_file_info(fs.FileSelector(f"{found.path}/{FOLDER}", allow_not_found=True))
        ]

    def change_token(self, place: Place) -> object | None:
        """What the log's folder has been given by the file system; None in an object store, which has no such thing."""
        if is_remote(place.uri):
            return None
        try:
            found = (Path(place.uri) / FOLDER).stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size

    def is_record(self, path: str) -> bool:
        return path.startswith(f"{FOLDER}/")

    def examine(self, place: Place) -> Iterator[Damage]:
        with reached(place.key, place.uri):
            log = Log.as_it_lies(place.key, place.uri)
        if log is None:
            return
        if torn := log.torn_newest():
            path, _, sentence = torn.partition(": ")
            layer, _, name = place.key.partition("/")
            mode = " with mode: rerun" if layer in ("bronze", "quarantine") else ""
            again = f"run {name}{mode}, which makes what it held anew"
            yield Damage(path, sentence, "dq doctor --repair moves it away", "the torn commit", afterwards=again)
        elif torn := log.torn_checkpoint():
            path, _, sentence = torn.partition(": ")
            hint = f"{path.rpartition('/')[0]}/_last_checkpoint"
            whole = bool(log.commits) and log.commits[0][0] == 0  # the commits say all that the checkpoint said
            remedy = "put it back from a copy where commits before it are gone"
            what = "the torn checkpoint" if whole else ""
            yield Damage(path, sentence, remedy, what, (hint,), "the commits say the same")
        else:
            try:
                snapshot = self.snapshot(place)
                if isinstance(snapshot, DeltaSnapshot):
                    snapshot.table  # noqa: B018 - opens it
            except PublishError as error:
                path, _, sentence = str(error).partition(": ")
                remedy = f"put {place.key}/{FOLDER} back from a copy made by dq backup"
                yield Damage(path, sentence, remedy)

    def expire(self, place: Place, keep: timedelta, *, dry_run: bool = False) -> list[str]:
        return housekeeping.expire(place, keep, dry_run=dry_run)

    def forget_versions(self, place: Place) -> list[str]:
        return housekeeping.forget_versions(place)

    def checkpoint(self, place: Place) -> None:
        housekeeping.checkpoint(place)
