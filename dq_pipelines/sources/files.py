"""Files as inputs: on a disk or in a store, plain or packed.

A source of files calls `parts(item)` and gets plain local files: remote objects are copied and archives
unpacked into the scratch folder.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import SourceError, Transient, nearest
from dq_pipelines.sources import file_content, local_files, stored_objects
from dq_pipelines.sources.archives import unpack, unzip
from dq_pipelines.sources.base import Source
from dq_pipelines.sources.endings import PACKINGS, has_members, packed_as, plain_name
from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.inputs import ConsumedVersion, Input, Listed, PassedOver
from dq_pipelines.sources.listing import base_of
from dq_pipelines.sources.order import natural
from dq_pipelines.sources.places import confinement, is_below, local_path, may_read
from dq_pipelines.sources.scratch import scratch_folder

_lock = threading.Lock()
#: By input, its change time, and kind of source: the same archive may be read as two of them.
_unpacked: dict[tuple[Input, int, tuple[tuple[str, ...], ...]], Unpacked] = {}


@dataclass(frozen=True)
class Part:
    """The content of an input, or of one member of an archive, as a plain local file."""

    input: Input
    #: what `_source` says: the input's uri, followed by `#member` when an archive has several members
    source: str
    path: Path


@dataclass(frozen=True)
class Unpacked:
    """What an input holds."""

    parts: tuple[Part, ...]
    #: the names of an archive's members that are no data
    passed_over: tuple[str, ...] = ()


class FileSource(Source):
    """A source whose inputs are files: one path, which names a file, a folder, a glob or a remote URI.

    `*`, `?` and `[…]` match within one name, `**` any number of folders; a path that exists as it is
    written is taken literally. A folder means every file below it, also one that a pattern with an ending
    such as `*.csv` matches: Spark writes `out.csv/part-0000.csv`. Names that start with `.` or `_` are skipped
    inside folders and by `**`; a last `*` skips `.` only, as a shell does. Lock files of Office (`~$…`) are skipped.
    """

    example: ClassVar[Mapping[str, str]] = {"path": "${DQ_LANDING}/orders/*"}

    #: A file, folder or glob; `s3://`, `gs://` and `abfss://` take their credentials from the environment.
    path: str = Field(min_length=1)

    #: Endings of names of this kind of file, the surest first: by them files are known, and members of archives that are data.
    kinds: ClassVar[tuple[tuple[str, ...], ...]] = ()

    # --- listing ------------------------------------------------------------------------------------

    def inputs(self) -> Sequence[Input]:
        return self.listed().inputs

    def inputs_where(self, wanted: Callable[[str], bool]) -> Sequence[Input]:
        return self._listed(wanted).inputs

    def listed(self) -> Listed:
        found = self._listed(lambda _: True)
        return replace(found, inputs=tuple(sorted(found.inputs, key=lambda item: natural(item.uri))))

    def _listed(self, wanted: Callable[[str], bool]) -> Listed:
        """What there is of this address, in any order; of local files, those alone whose path is wanted."""
        if is_remote(self.path):
            if self._places and not any(is_below(self.path, place) for place in self._places):
                raise SourceError(f"{self.path}: wanted a place below {' or '.join(self._places)}")
            found = stored_objects.objects_at(self.path)
            return replace(found, inputs=tuple(item for item in found.inputs if wanted(item.uri)))
        return local_files.files_at(local_path(self.path), self._confinement(), wanted)

    def nothing_found(self) -> str:
        """The path, and what the deepest folder on the way to it holds."""
        if is_remote(self.path):
            return f"{self.path}: wanted at least one file, got none"
        folder = Path(self.path).expanduser().absolute()
        while not folder.is_dir():  # the deepest folder that is there, above any wildcard
            folder = folder.parent
        names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
        some = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "nothing"
        near = nearest(Path(self.path).name, names)
        return f"{self.path}: wanted at least one file, got none; in {folder} there is {some}{near}"

    @property
    def asks_network(self) -> bool:
        return is_remote(self.path)

    def _confinement(self) -> Callable[[str], str]:
        path = local_path(self.path)
        return confinement(path, base_of(path) if not os.path.exists(path) else path, self._places)

    # --- the version of an input --------------------------------------------------------------------

    def must_be_unchanged(self, item: Input) -> None:
        must_be_unchanged(item)

    def content_of(self, item: Input) -> int:
        """A checksum of a local file; of an object its modification time, since a checksum would take a download."""
        return item.version.number if is_remote(item.uri) else file_content.content_of(item)

    def is_same(self, item: Input, consumed: ConsumedVersion) -> bool | None:
        """By the checksum, where a time of a local file is another.

        None for a file that has its old modification time and cannot be read.
        """
        is_of_old_time = consumed.number == item.version.number
        if is_remote(item.uri):
            return is_of_old_time or consumed.content == item.version.number
        file_content.settle(item)
        if consumed.content is not None and not file_content.size_fits(item, consumed.content):
            return False
        if is_of_old_time and consumed.changed in (None, item.version.changed):  # earlier releases noted no change time
            return True
        try:
            return consumed.content == file_content.content_of(item, remember=True)
        except Transient:
            raise
        except SourceError:
            return None if is_of_old_time else False

    def has_moved(self, item: Input, consumed: ConsumedVersion) -> bool:
        """Only a local file that came from a local address: an object's time is when it was copied."""
        if is_remote(item.uri) or is_remote(consumed.uri) or consumed.content is None:
            return False
        return self.is_same(item, consumed) is not False

    def may_read(self, item: Input) -> bool:
        return may_read(item.uri)

    # --- reading ------------------------------------------------------------------------------------

    def parts(self, item: Input) -> tuple[Part, ...]:
        """`item` on the local disk, unpacked; one part unless it is an archive of several members.

        Raises SourceError when the file is gone or changed, or is no whole archive.
        """
        if not is_remote(item.uri) and (why := self._confinement()(item.uri)):
            raise SourceError(f"{item.uri}: {why}")  # it was a file when it was listed, and is a link now
        must_be_unchanged(item)
        if not is_remote(item.uri) and not packed_as(item.uri):
            return (Part(item, item.uri, Path(item.uri)),)
        return self._unpacked(item).parts

    def row_sources(self, item: Input) -> Sequence[str]:
        return [part.source for part in self.parts(item)] if has_members(item.uri) else (item.uri,)

    def passed_over(self, inputs: Sequence[Input]) -> tuple[PassedOver, ...]:
        return tuple(
            PassedOver(f"{item.uri}#{name}", _why_no_data(name))
            for item in inputs
            if has_members(item.uri)
            for name in self._unpacked(item).passed_over
        )

    def _unpacked(self, item: Input) -> Unpacked:
        key = (item, item.version.changed, self.kinds)
        with _lock:
            unpacked = _unpacked.get(key)
            if unpacked is None or not all(part.path.exists() for part in unpacked.parts):
                passed_over: list[str] = []
                with broken(item.uri):
                    unpacked = Unpacked(tuple(_unpack(item, self.kinds, passed_over)), tuple(passed_over))
                must_be_unchanged(item)
                _unpacked[key] = unpacked
        return unpacked


def must_be_unchanged(item: Input) -> None:
    """Raise Transient unless a file is still what `inputs()` saw: call it before and after a read."""
    now = stored_objects.input_at(item.uri) if is_remote(item.uri) else local_files.input_at(item.uri)
    if now is None:
        raise Transient(f"{item.uri}: wanted the file of {item.size} bytes that was listed, got nothing: it is gone")
    if now != item or item.version.changed not in (0, now.version.changed):
        raise Transient(
            f"{item.uri} changed while it was read: wanted the {item.size} bytes that were listed, got {now.size} bytes"
            if now.size != item.size
            else f"{item.uri} changed while it was read: wanted the version that was listed, got a later one"
        )


def _why_no_data(member: str) -> str:
    is_plain = plain_name(member.lstrip("/"))
    return "it is of another kind than the source's" if is_plain else "a name in it begins with . or _"


def _unpack(item: Input, kinds: Sequence[Sequence[str]], passed_over: list[str]) -> Iterator[Part]:
    folder = scratch_folder()
    path, name = Path(item.uri), item.uri.rsplit("/", 1)[-1]
    if is_remote(item.uri):
        path = folder / name
        stored_objects.download(item.uri, path)
    ending = packed_as(name)
    if ending in PACKINGS:
        plain = folder / f"plain-{name[: -len(ending)]}"
        yield Part(item, item.uri, unpack(item, path, plain, PACKINGS[ending]))
    elif ending:
        for member, plain in unzip(item, path, folder, kinds, passed_over):
            yield Part(item, f"{item.uri}#{member}" if member else item.uri, plain)
    else:
        yield Part(item, item.uri, path)
