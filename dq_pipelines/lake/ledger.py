"""What a table has consumed: Delta's own application transactions, written in the commit of the rows.

An application transaction is a name and a number that Delta keeps with the table, through
checkpoints and log clean-up. Bronze keeps one per input (`input:<uri>`, its modification time) and
one for its content (`content:<uri>`, a digest); silver and quarantine keep one per bronze batch
(`batch:<id>`). A killed run therefore repeats without loss or duplicate.

The log is read here rather than by `DeltaTable.transaction_version`, which replays it anew for each
name: 1.7 ms a look-up against 20 ms for all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pyarrow import fs

from dq_pipelines.lake.tables import LakeTable, filesystem


def transactions(table: LakeTable) -> dict[str, int]:
    """Every application transaction of the table, by name: the number it last reached."""
    files, root = filesystem(table.uri)
    log = f"{root}/_delta_log"
    if files.get_file_info(log).type is not fs.FileType.Directory:
        return {}
    checkpoint, found = _checkpoint(files, log)
    for version, path in _commits(files, log):
        if version > checkpoint:
            found.update(_of_commit(files, path))
    return found


def named_files(table: LakeTable) -> set[str]:
    """Every data file that the log names, as the log writes its path: those of earlier versions too.

    Whoever reads an earlier version still needs them, be it only until their query ends.
    """
    files, root = filesystem(table.uri)
    log = f"{root}/_delta_log"
    if files.get_file_info(log).type is not fs.FileType.Directory:
        return set()
    version, dataset = _last_checkpoint(files, log)
    found: set[str] = set()
    for action in ("add", "remove") if dataset is not None else ():
        rows = dataset.to_table(columns=[action])[action].drop_null().to_pylist()
        found.update(row["path"] for row in rows if row["path"] is not None)
    for number, path in _commits(files, log):
        if number > version:
            found.update(action["path"] for action in _actions(files, path, "add", "remove"))
    return found


def _checkpoint(files: fs.FileSystem, log: str) -> tuple[int, dict[str, int]]:
    version, dataset = _last_checkpoint(files, log)
    if dataset is None:
        return version, {}
    rows = dataset.to_table(columns=["txn"])["txn"].drop_null().to_pylist()
    return version, {row["appId"]: row["version"] for row in rows if row["appId"] is not None}


def _last_checkpoint(files: fs.FileSystem, log: str) -> tuple[int, Any]:
    """The version of the last checkpoint and its rows, or -1 and None."""
    pointer = f"{log}/_last_checkpoint"
    if files.get_file_info(pointer).type is not fs.FileType.File:
        return -1, None
    with files.open_input_stream(pointer) as stream:
        version = int(json.loads(stream.read())["version"])
    import pyarrow.dataset as ds

    wanted = f"{version:020}.checkpoint"
    parts = [
        info.path
        for info in files.get_file_info(fs.FileSelector(log))
        if info.base_name.startswith(wanted) and info.base_name.endswith(".parquet")
    ]
    return version, ds.dataset(parts, filesystem=files)


def _commits(files: fs.FileSystem, log: str) -> Iterator[tuple[int, str]]:
    infos = files.get_file_info(fs.FileSelector(log))
    for info in sorted(infos, key=lambda info: str(info.base_name)):
        stem, _, ending = info.base_name.partition(".")
        if ending == "json" and stem.isdigit():
            yield int(stem), info.path


def _of_commit(files: fs.FileSystem, path: str) -> dict[str, int]:
    return {action["appId"]: action["version"] for action in _actions(files, path, "txn")}


def _actions(files: fs.FileSystem, path: str, *kinds: str) -> Iterator[dict[str, Any]]:
    """The actions of these kinds in one commit."""
    with files.open_input_stream(path) as stream:
        lines = stream.read().splitlines()
    for kind in kinds:
        begins = f'{{"{kind}"'.encode()
        yield from (json.loads(line)[kind] for line in lines if line.startswith(begins))
