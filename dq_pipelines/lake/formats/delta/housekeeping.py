"""Keeps a Delta table small and quick: writes checkpoints, and removes files that no version needs any more."""

from __future__ import annotations

import json
from datetime import timedelta

from pyarrow import fs

from dq_pipelines.config.stores import filesystem, is_remote
from dq_pipelines.lake.failures import publish_errors, read_errors
from dq_pipelines.lake.formats.delta.checkpoints import write_checkpoint
from dq_pipelines.lake.formats.delta.open_tables import opened
from dq_pipelines.lake.formats.delta.snapshot import DeltaSnapshot, snapshot_of
from dq_pipelines.lake.formats.delta.types import FOLDER
from dq_pipelines.lake.formats.snapshot import Place, Unpublished

#: Seconds: in an object store, which has no claims, another run may still write younger files.
GRACE = 3600


def expire(place: Place, keep: timedelta, *, dry_run: bool = False) -> list[str]:
    """Remove files that left the table longer ago than `keep`; returns their paths.

    An object store has no claims, so a run may be about to commit a file that no version names (delta-rs #3645). There
    only files that a version has named are removed, and none younger than an hour.
    """
    snapshot = snapshot_of(place)
    if not isinstance(snapshot, DeltaSnapshot):
        return []
    remote = is_remote(place.uri)
    hours = int(max(keep, timedelta(seconds=GRACE) if remote else timedelta(0)).total_seconds() // 3600)
    with publish_errors(place.key, place.uri):
        gone = snapshot.table.vacuum(hours, dry_run=dry_run, enforce_retention_duration=False, full=not remote)
    if not dry_run and not remote:
        _remove_empty_folders(place)
    return gone


def forget_versions(place: Place) -> list[str]:
    """Remove every file that the current version does not need, and the earlier log; returns the paths of data files.

    Readers of an earlier version fail from now on. The log is removed too, since it holds minimum and maximum values.
    """
    before = snapshot_of(place).required()
    gone = expire(place, timedelta(0))
    with publish_errors(place.key, place.uri):
        files, root = filesystem(place.uri)
        if is_remote(place.uri):
            current = {file.path for file in before.files}
            for path in sorted(snapshot_of(place).retained_files() - current):
                if files.get_file_info(f"{root}/{path}").type is fs.FileType.File:
                    files.delete_file(f"{root}/{path}")
                    gone.append(path)
        table = opened(place)
        table.create_checkpoint()
        for info in files.get_file_info(fs.FileSelector(f"{root}/{FOLDER}")):
            number = info.base_name.partition(".")[0]
            if number.isdecimal() and int(number) < table.version():
                files.delete_file(info.path)
    return gone


def checkpoint(place: Place) -> None:
    """Write a checkpoint of the log, so that it is read quickly; only once for each version."""
    snapshot = snapshot_of(place)
    if not isinstance(snapshot, DeltaSnapshot):
        Unpublished(place).required()
        return
    with publish_errors(place.key, place.uri):
        files, root = filesystem(place.uri)
        pointer = f"{root}/{FOLDER}/_last_checkpoint"
        if files.get_file_info(pointer).type is fs.FileType.File:
            with files.open_input_stream(pointer) as stream:
                if json.loads(stream.read())["version"] == snapshot.version:
                    return
        write_checkpoint(place, snapshot.table)


def _remove_empty_folders(place: Place) -> None:
    with read_errors(place.key, place.uri):
        files, root = filesystem(place.uri)
        infos = files.get_file_info(fs.FileSelector(root, recursive=True))
        folders = [info.path for info in infos if info.type is fs.FileType.Directory and FOLDER not in info.path]
        for folder in sorted(folders, key=len, reverse=True):
            if not files.get_file_info(fs.FileSelector(folder)):
                files.delete_dir(folder)
