"""Files as inputs: globs, folders, remote URIs, compression. What is inside a file belongs in its source.

A source of files calls `parts(input)` and gets plain local files: remote objects are copied and archives
unpacked into a scratch folder that lives as long as the process, because a reading is lazy and may be
collected long after `read` has returned.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from dq_pipelines.config.stores import filesystem, is_remote, said, split
from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.sources.archives import ENDINGS, PACKINGS, copy, plain_name, unpack, unzip
from dq_pipelines.sources.base import Input, Listed, PassedOver, Source
from dq_pipelines.sources.failures import broken, failure
from dq_pipelines.sources.listing import Chosen, Glob, base_of, must_exist, walk
from dq_pipelines.sources.order import natural
from dq_pipelines.sources.places import confinement, is_below, local_path

_lock = threading.Lock()
#: By input, its change time, and kind of source: the same archive may be read as two of them.
_unpacked: dict[tuple[Input, int, tuple[tuple[str, ...], ...]], tuple[tuple[Part, ...], tuple[str, ...]]] = {}


@dataclass(frozen=True)
class Part:
    """The content of an input, or of one member of an archive, as a plain local file."""

    input: Input
    #: what `_source` says: the input's uri, followed by `#member` when an archive has several members
    source: str
    path: Path


class FileSource(Source):
    """A source whose inputs are files: one path, which names a file, a folder, a glob or a remote URI.

    `*`, `?` and `[…]` match within one name, `**` any number of folders; a path that exists as it is
    written is taken literally. A folder means every file below it, also one that a pattern with an ending
    such as `*.csv` matches: Spark writes `out.csv/part-0000.csv`. Names that start with `.` or `_` are skipped
    inside folders and by `**`; a last `*` skips `.` only, as a shell does. Lock files of Office (`~$…`) are skipped.
    """

    #: A file, folder or glob; `s3://`, `gs://` and `abfss://` take their credentials from the environment.
    path: str = Field(min_length=1)

    #: Endings of names of this kind of file, the surest first: by them members of archives are told from what is no data.
    kinds: ClassVar[tuple[tuple[str, ...], ...]] = ()

    def inputs(self) -> Sequence[Input]:
        return self.listed().inputs

    def listed(self) -> Listed:
        found = self._remote() if is_remote(self.path) else _local(local_path(self.path), self._confinement())
        return replace(found, inputs=tuple(sorted(found.inputs, key=lambda item: natural(item.uri))))

    def parts(self, item: Input) -> tuple[Part, ...]:
        """`item` on the local disk, unpacked; one part unless it is an archive of several members.

        Raises SourceError when the file is gone or changed, or is no whole archive.
        """
        if not is_remote(item.uri) and (why := self._confinement()(item.uri)):
            raise SourceError(f"{item.uri}: {why}")  # it was a file when it was listed, and is a link now
        unchanged(item)
        if not is_remote(item.uri) and not item.uri.lower().endswith(ENDINGS):
            return (Part(item, item.uri, Path(item.uri)),)
        return self._unpacked(item)[0]

    def passed_over(self, inputs: Sequence[Input]) -> tuple[str, ...]:
        packed = [item for item in inputs if item.uri.lower().endswith(".zip")]
        return tuple(f"{item.uri}#{name}" for item in packed for name in self._unpacked(item)[1])

    def _confinement(self) -> Callable[[str], str]:
        path = local_path(self.path)
        return confinement(path, base_of(path) if not os.path.exists(path) else path, self._places)

    def _remote(self) -> Listed:
        if self._places and not any(is_below(self.path, place) for place in self._places):
            raise SourceError(f"{self.path}: wanted a place below {' or '.join(self._places)}")
        return _remote(self.path)

    def _unpacked(self, item: Input) -> tuple[tuple[Part, ...], tuple[str, ...]]:
        with _lock:
            ready = _unpacked.get((item, item.changed, self.kinds))
            if ready is None or not all(part.path.exists() for part in ready[0]):
                passed_over: list[str] = []
                with broken(item.uri):
                    ready = tuple(_unpack(item, self.kinds, passed_over)), tuple(passed_over)
                unchanged(item)
                _unpacked[item, item.changed, self.kinds] = ready
        return ready


def unchanged(item: Input) -> None:
    """Raise Transient unless the file is still what `inputs()` saw: call it before and after a read."""
    now = _stat(item.uri)
    if now is None:
        raise Transient(f"{item.uri}: wanted the file of {item.size} bytes that was listed, got nothing: it is gone")
    if (now.size, now.modified) != (item.size, item.modified) or item.changed not in (0, now.changed):
        raise Transient(
            f"{item.uri} changed while it was read: wanted the {item.size} bytes that were listed, got {now.size} bytes"
            if now.size != item.size
            else f"{item.uri} changed while it was read: wanted the version that was listed, got a later one"
        )


# --- listing ---------------------------------------------------------------------------------------


def _stat(uri: str) -> Input | None:
    if is_remote(uri):
        files, key = _store(uri)
        info = _asked(uri, lambda: files.get_file_info(key))
        return _remote_input(uri, info) if info.is_file else None
    found = _look(uri)
    return None if found is None else Input(uri, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _look(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure(f"{path}: wanted to look at the file, got {error.strerror}", error) from error


def _local(path: str, objection: Callable[[str], str]) -> Listed:
    if os.path.isfile(path):
        return _stated([path], objection)
    left_out: list[PassedOver] = []

    def enters(folder: str) -> bool:
        if why := objection(folder):
            left_out.append(PassedOver(folder, why))
        return not why

    if os.path.isdir(path):
        chosen = Chosen(tuple(name for name in walk(path, enters) if plain_name(os.path.relpath(name, path))))
    else:
        pattern = Glob.of(path)
        must_exist(path, pattern.base)
        chosen = pattern.chosen(list(walk(pattern.base, enters)) if pattern.base != path else [])
    found = _stated(chosen.paths, objection)
    return Listed(found.inputs, (*left_out, *chosen.passed_over, *found.passed_over))


def _stated(names: Iterable[str], objection: Callable[[str], str]) -> Listed:
    inputs, passed_over = [], []
    for name in names:
        found = _look(name)
        if found is None:
            if os.path.islink(name):  # else it has gone since it was listed
                passed_over.append(PassedOver(name, f"it is a link to {os.readlink(name)}, which is not there"))
        elif why := objection(name):
            passed_over.append(PassedOver(name, why))
        elif not stat.S_ISREG(found.st_mode):
            passed_over.append(PassedOver(name, "it is a pipe, a socket or a device and no file"))
        else:
            inputs.append(Input(name, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    return Listed(tuple(inputs), tuple(passed_over))


# --- remote ----------------------------------------------------------------------------------------


def _store(uri: str) -> tuple[Any, str]:
    """The file system of a URI's bucket, and the key there."""
    found: tuple[Any, str] = _asked(uri, lambda: filesystem(uri))
    return found


def _asked(uri: str, question: Callable[[], Any]) -> Any:
    try:
        return question()
    except (OSError, ValueError) as error:
        raise failure(f"{uri}: wanted to reach the place, got: {said(error)}", error) from error


def _remote_input(uri: str, info: Any) -> Input:
    return Input(uri, int(info.size), int(info.mtime_ns or 0))


def _remote(uri: str) -> Listed:
    from pyarrow import fs

    exact = _stat(uri)
    if exact is not None:
        return Listed((exact,))
    files, key = _store(uri)
    pattern = Glob.of(f"/{key}")
    # A store has no folders: a key that begins with nothing we look for is no error, a missing bucket is.
    below = fs.FileSelector(pattern.base.strip("/"), allow_not_found=True, recursive=True)
    listed = {f"/{info.path}": info for info in _asked(uri, lambda: files.get_file_info(below)) if info.is_file}
    if pattern.base != f"/{key}":
        chosen = pattern.chosen(listed)
    else:
        chosen = Chosen(tuple(path for path in listed if plain_name(path[len(pattern.base.rstrip("/")) + 1 :])))
    bucket = split(uri)[0]
    found = [_remote_input(bucket + path[1:], listed[path]) for path in chosen.paths]
    # An empty one may be the `folder/` that a console makes: its slash is lost in the listing, and no file is there.
    inputs = tuple(item for item in found if item.size or _stat(item.uri))
    return Listed(inputs, tuple(PassedOver(bucket + one.uri[1:], one.why) for one in chosen.passed_over))


# --- unpacking -------------------------------------------------------------------------------------


@cache
def scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="dq-inputs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def _room() -> Iterator[None]:
    """Raise Transient where the scratch folder takes nothing: that is no input's fault."""
    try:
        yield
    except OSError as error:
        raise Transient(f"{tempfile.gettempdir()}: wanted room to unpack inputs, got {error.strerror}") from error


def scratch_folder() -> Path:
    """A new folder that goes with the process, if nobody removes it before; raises Transient."""
    with _room():
        return Path(tempfile.mkdtemp(dir=scratch()))


def scratch_file(suffix: str) -> Path:
    """A new file that goes with the process, if nobody removes it before; raises Transient."""
    with _room():
        handle, name = tempfile.mkstemp(dir=scratch(), suffix=suffix)
        os.close(handle)
        return Path(name)


def _unpack(item: Input, kinds: Sequence[Sequence[str]], passed_over: list[str]) -> Iterator[Part]:
    folder = scratch_folder()
    path, name = Path(item.uri), item.uri.rsplit("/", 1)[-1]
    if is_remote(item.uri):
        path = folder / name
        files, key = _store(item.uri)
        # As it is: pyarrow would unpack by the name, and take what is no archive or a torn one for a whole file.
        with _asked(item.uri, lambda: files.open_input_stream(key, compression=None)) as stream:
            _asked(item.uri, lambda: copy(stream, path))
    ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")
    if ending in PACKINGS:
        plain = folder / f"plain-{name[: -len(ending)]}"
        yield Part(item, item.uri, unpack(item, path, plain, PACKINGS[ending]))
    elif ending:
        for member, plain in unzip(item, path, folder, kinds, passed_over):
            yield Part(item, f"{item.uri}#{member}" if member else item.uri, plain)
    else:
        yield Part(item, item.uri, path)
