"""What keeps a Delta table small and quick: checkpoints, and files that no version needs any more removed."""

from __future__ import annotations

import json
from datetime import timedelta

from pyarrow import fs

from dq_pipelines.config.stores import filesystem, is_remote
from dq_pipelines.lake.failures import publish_errors, reached
from dq_pipelines.lake.formats.delta.snapshot import DeltaSnapshot, opened, snapshot_of
from dq_pipelines.lake.formats.delta.types import FOLDER
from dq_pipelines.lake.formats.snapshot import Place, Unpublished

#: In a store, where nobody holds a claim, another run may be at work on what is younger, in seconds.
GRACE = 3600


def expire(place: Place, keep: timedelta, *, dry_run: bool = False) -> list[str]:
    """Remove files that left the table longer ago than `keep`; their paths.

    In a store nobody holds a claim, and a file that no version names may be one that a run is about to commit
    (delta-rs #3645): there only files that a version has named are removed, and none younger than an hour.
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
    """Remove every file that the version of now does not need, and the log before it; the paths of data files.

    Who reads an earlier version fails from now on. The log goes too, since it holds the least and greatest values of files.
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
    """Write what the log says so far into one file, so that it is read quickly; not twice for one version."""
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
        snapshot.table.create_checkpoint()


def _remove_empty_folders(place: Place) -> None:
    with reached(place.key, place.uri):
        files, root = filesystem(place.uri)
        infos = files.get_file_info(fs.FileSelector(root, recursive=True))
        folders = [info.path for info in infos if info.type is fs.FileType.Directory and FOLDER not in info.path]
        for folder in sorted(folders, key=len, reverse=True):
            if not files.get_file_info(fs.FileSelector(folder)):
                files.delete_dir(folder)
