"""Files as inputs: globs, folders, remote URIs, compression. What is inside a file belongs in its source.

A source of files calls `parts(input)` and gets plain local files: remote objects are copied and archives
unpacked into a scratch folder that lives as long as the process, because a reading is lazy and may be
collected long after `read` has returned.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from pydantic import Field

from dq_pipelines.config.stores import filesystem, is_remote, said, split
from dq_pipelines.errors import SourceError, Transient, nearest
from dq_pipelines.sources.archives import ENDINGS, PACKINGS, copy, plain_name, unpack, unzip
from dq_pipelines.sources.base import Input, Source
from dq_pipelines.sources.failures import broken, failure
from dq_pipelines.sources.order import natural

_MAGIC = re.compile(r"[*?\[]")
_lock = threading.Lock()
#: By input and kind of source: the same archive may be read as two of them.
_unpacked: dict[tuple[Input, tuple[tuple[str, ...], ...]], tuple[tuple[Part, ...], tuple[str, ...]]] = {}


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
    written is taken literally. A folder means every file below it. Names that start with `.` or `_`
    are skipped inside folders and by `**`; a last `*` skips `.` only, as a shell does.
    """

    #: A file, folder or glob; `s3://`, `gs://` and `abfss://` take their credentials from the environment.
    path: str = Field(min_length=1)

    #: Endings of names of this kind of file, the surest first: by them members of archives are told from what is no data.
    kinds: ClassVar[tuple[tuple[str, ...], ...]] = ()

    def inputs(self) -> Sequence[Input]:
        found = _remote_inputs(self.path) if is_remote(self.path) else _local_inputs(local_path(self.path))
        return sorted(found, key=lambda item: natural(item.uri))

    def parts(self, item: Input) -> tuple[Part, ...]:
        """`item` on the local disk, unpacked; one part unless it is an archive of several members.

        Raises SourceError when the file is gone or changed, or is no whole archive.
        """
        unchanged(item)
        if not is_remote(item.uri) and not item.uri.lower().endswith(ENDINGS):
            return (Part(item, item.uri, Path(item.uri)),)
        return self._unpacked(item)[0]

    def passed_over(self, inputs: Sequence[Input]) -> tuple[str, ...]:
        packed = [item for item in inputs if item.uri.lower().endswith(".zip")]
        return tuple(f"{item.uri}#{name}" for item in packed for name in self._unpacked(item)[1])

    def _unpacked(self, item: Input) -> tuple[tuple[Part, ...], tuple[str, ...]]:
        with _lock:
            ready = _unpacked.get((item, self.kinds))
            if ready is None or not all(part.path.exists() for part in ready[0]):
                passed_over: list[str] = []
                with broken(item.uri):
                    ready = tuple(_unpack(item, self.kinds, passed_over)), tuple(passed_over)
                unchanged(item)
                _unpacked[item, self.kinds] = ready
        return ready


def unchanged(item: Input) -> None:
    """Raise Transient unless the file is still what `inputs()` saw: call it before and after a read."""
    now = _stat(item.uri)
    if now is None:
        raise Transient(f"{item.uri}: wanted the file of {item.size} bytes that was listed, got nothing: it is gone")
    if (now.size, now.modified) != (item.size, item.modified):
        raise Transient(
            f"{item.uri} changed while it was read: wanted the {item.size} bytes that were listed, got {now.size} bytes"
            if now.size != item.size
            else f"{item.uri} changed while it was read: wanted the version that was listed, got a later one"
        )


# --- listing ---------------------------------------------------------------------------------------


def local_path(path: str) -> str:
    """The absolute path on this machine that a source's `path` means, wildcards as they stand."""
    if path.startswith("file://"):
        path = unquote(urlsplit(path).path)
    return os.path.abspath(os.path.expanduser(path))


def _stat(uri: str) -> Input | None:
    if is_remote(uri):
        files, key = _store(uri)
        info = _asked(uri, lambda: files.get_file_info(key))
        return _remote_input(uri, info) if info.is_file else None
    try:
        found = os.stat(uri)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure(f"{uri}: wanted to look at the file, got {error.strerror}", error) from error
    return Input(uri, found.st_size, found.st_mtime_ns)


def _local_inputs(path: str) -> list[Input]:
    if os.path.isfile(path):
        names: Iterator[str] = iter([path])
    elif os.path.isdir(path):
        names = (name for name in _walk(path) if plain_name(os.path.relpath(name, path)))
    else:
        base, matches = _glob(path)
        _must_exist(path, base)
        names = (name for name in _walk(base) if matches(name)) if base != path else iter(())
    return [found for name in names if (found := _stat(name)) is not None]


def _walk(folder: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise failure(f"{error.filename}: wanted to list the folder, got {error.strerror}", error) from error

    seen = set()
    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link back to a folder above: walking it would never end
            folders.clear()
            continue
        seen.add(real)
        yield from (os.path.join(place, name) for name in files)


def _must_exist(path: str, base: str) -> None:
    """The folder in which to look has to be there; that nothing in it matches is no error."""
    folder = base if base != path else os.path.dirname(path)
    if os.path.isdir(folder):
        return
    missing = folder
    while not os.path.isdir(os.path.dirname(missing)):
        missing = os.path.dirname(missing)
    parent, name = os.path.split(missing)
    near = nearest(name, (entry.name for entry in os.scandir(parent) if entry.is_dir()))
    raise SourceError(f"{path}: wanted the folder {folder}, got no '{name}' in {parent}{near}")


def _glob(path: str) -> tuple[str, Callable[[str], object]]:
    """The folder above the first wildcard, and a test for whole paths. Without a wildcard: the path itself."""
    segments = path.split("/")
    first = next((place for place, name in enumerate(segments) if _MAGIC.search(name)), None)
    if first is None:
        return path, path.__eq__
    pattern = "/".join(re.escape(name) for name in segments[:first])
    for place in range(first, len(segments)):
        name, last = segments[place], place == len(segments) - 1
        if name == "**":
            pattern += "(?:/[^/._][^/]*)*" + ("/[^/._][^/]*" if last else "")
        else:
            pattern += "/" + ("" if name.startswith(".") else r"(?!\.)") + _name_pattern(name)
    return "/".join(segments[:first]) or "/", re.compile(pattern + r"\Z", re.DOTALL).match


def _name_pattern(name: str) -> str:
    pattern, place = "", 0
    while place < len(name):
        char = name[place]
        end = name.find("]", place + 2) if char == "[" else -1
        if end > 0:
            inside = name[place + 1 : end].replace("\\", r"\\")
            pattern += f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
            place = end
        else:
            pattern += {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char))
        place += 1
    return pattern


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


def _remote_inputs(uri: str) -> list[Input]:
    from pyarrow import fs

    exact = _stat(uri)
    if exact is not None:
        return [exact]
    files, key = _store(uri)
    base, matches = _glob(f"/{key}")
    # A store has no folders: a key that begins with nothing we look for is no error, a missing bucket is.
    below = fs.FileSelector(base.strip("/"), allow_not_found=True, recursive=True)
    listed = _asked(uri, lambda: files.get_file_info(below))
    wanted = matches if base != f"/{key}" else lambda path: plain_name(path[len(base.rstrip("/")) + 1 :])
    bucket = split(uri)[0]
    found = [_remote_input(bucket + info.path, info) for info in listed if info.is_file and wanted(f"/{info.path}")]
    # An empty one may be the `folder/` that a console makes: its slash is lost in the listing, and no file is there.
    return [item for item in found if item.size or _stat(item.uri)]


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
