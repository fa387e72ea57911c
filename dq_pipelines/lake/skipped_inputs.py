"""Stores the inputs that are set aside because they cannot be read: which version, since when, and why.

Each table has one small file next to the layers, outside of the table: a reason is a text, and the table may not exist
yet. If the file is lost, the inputs are only read once more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from pyarrow import fs

from dq_pipelines.config.stores import filesystem, is_remote, write_bytes
from dq_pipelines.lake.failures import read_errors
from dq_pipelines.lake.formats.snapshot import Place
from dq_pipelines.lake.tables import Lake

FOLDER = ".aside"


@dataclass(frozen=True)
class SkippedInput:
    """An input that is set aside, in the version that could not be read."""

    #: absolute path or URI
    uri: str
    #: changes with the input, and with the settings of its reader
    version: str
    #: one sentence
    reason: str
    #: when it was set aside
    since: datetime
    #: the change time of a local file, in nanoseconds; 0 where it is not known
    changed: int = 0


def read_skipped_inputs(lake: Lake, name: str) -> dict[str, SkippedInput]:
    """The inputs of a table that are set aside, by address; raises PublishError when the lake cannot be read."""
    place = _place(lake, name)
    with read_errors(place.key, place.uri):
        files, path = filesystem(place.uri)
        if files.get_file_info(path).type is not fs.FileType.File:
            return {}
        with files.open_input_stream(path) as stream:
            content = stream.read()
    return {skipped.uri: skipped for skipped in parse_skipped_inputs(content) or ()}


def parse_skipped_inputs(content: bytes) -> list[SkippedInput] | None:
    """The inputs in a file's content; None where it is torn or malformed: then the inputs are read once more."""
    try:
        items = json.loads(content)
        inputs = [SkippedInput(**item | {"since": datetime.fromisoformat(item["since"])}) for item in items]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return (
        inputs
        if all(isinstance(text, str) for each in inputs for text in (each.uri, each.version, each.reason))
        else None
    )


def write_skipped_inputs(lake: Lake, name: str, inputs: Iterable[SkippedInput]) -> None:
    """Replace the list of a table's inputs that are set aside; raises PublishError when the lake cannot be written."""
    place, rows = _place(lake, name), [{**asdict(each), "since": each.since.isoformat()} for each in inputs]
    with read_errors(place.key, place.uri):
        files, path = filesystem(place.uri)
        if not rows:
            if files.get_file_info(path).type is fs.FileType.File:
                files.delete_file(path)
            return
        # On a disk, a rename makes the file appear whole or not at all; an object store guarantees that.
        content = json.dumps(rows, indent=1).encode()
        if is_remote(place.uri):
            write_bytes(place.uri, content)
        else:
            write_bytes(f"{place.uri}.new", content)
            files.move(f"{path}.new", path)


def tables_with_skipped_inputs(lake: Lake) -> list[str]:
    """The names of the tables with inputs that are set aside; raises PublishError when the lake cannot be read."""
    place = replace(_place(lake, ""), uri=f"{lake.root}/{FOLDER}")
    with read_errors(place.key, place.uri):
        files, path = filesystem(place.uri)
        infos = files.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return sorted(info.base_name.removesuffix(".json") for info in infos if info.base_name.endswith(".json"))


def _place(lake: Lake, name: str) -> Place:
    return Place(f"the inputs aside of {name}", f"{lake.root}/{FOLDER}/{name}.json")
