"""Inputs that stand aside: what could not be read as a whole, in which version, and why.

One small file for each table, beside the layers and no part of a table: a reason is a text, the table may not
be there yet, and a mark that is lost costs no more than another look at its input. What was consumed belongs in
`ledger`; who sets inputs aside, in `pipeline`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from pyarrow import fs

from dq_pipelines.config.stores import filesystem, is_remote, write_bytes
from dq_pipelines.lake.failures import reached
from dq_pipelines.lake.formats.snapshot import Place
from dq_pipelines.lake.tables import Lake

FOLDER = ".aside"


@dataclass(frozen=True)
class Aside:
    """One input in the version that could not be read."""

    #: absolute path or URI
    uri: str
    #: changes with the input, and with how it is to be read
    version: str
    #: one sentence
    reason: str
    #: when it was set aside
    since: datetime
    #: the change time of a local file, in nanoseconds; 0 where it is not known
    changed: int = 0


def asides(lake: Lake, name: str) -> dict[str, Aside]:
    """The marks of a table's inputs by address; raises PublishError when the lake cannot be asked."""
    place = _place(lake, name)
    with reached(place.key, place.uri):
        files, path = filesystem(place.uri)
        if files.get_file_info(path).type is not fs.FileType.File:
            return {}
        with files.open_input_stream(path) as stream:
            content = stream.read()
    marks = marks_in(content) or ()
    return {mark.uri: mark for mark in marks}


def marks_in(content: bytes) -> list[Aside] | None:
    """The marks in a file's content; None where it is torn or no list of marks: then its inputs are looked at once more."""
    try:
        found = json.loads(content)
        marks = [Aside(**mark | {"since": datetime.fromisoformat(mark["since"])}) for mark in found]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return (
        marks
        if all(isinstance(text, str) for mark in marks for text in (mark.uri, mark.version, mark.reason))
        else None
    )


def write_asides(lake: Lake, name: str, marks: Iterable[Aside]) -> None:
    """Let these be all marks of a table; raises PublishError when the lake cannot be written."""
    place, rows = _place(lake, name), [{**asdict(mark), "since": mark.since.isoformat()} for mark in marks]
    with reached(place.key, place.uri):
        files, path = filesystem(place.uri)
        if not rows:
            if files.get_file_info(path).type is fs.FileType.File:
                files.delete_file(path)
            return
        # On a disk it appears whole or not at all; in a store every object does.
        content = json.dumps(rows, indent=1).encode()
        if is_remote(place.uri):
            write_bytes(place.uri, content)
        else:
            write_bytes(f"{place.uri}.new", content)
            files.move(f"{path}.new", path)


def tables_with_asides(lake: Lake) -> list[str]:
    """The names of the tables that have inputs aside; raises PublishError when the lake cannot be asked."""
    place = replace(_place(lake, ""), uri=f"{lake.root}/{FOLDER}")
    with reached(place.key, place.uri):
        files, path = filesystem(place.uri)
        found = files.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return sorted(info.base_name.removesuffix(".json") for info in found if info.base_name.endswith(".json"))


def _place(lake: Lake, name: str) -> Place:
    return Place(f"the inputs aside of {name}", f"{lake.root}/{FOLDER}/{name}.json")
