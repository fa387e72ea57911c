"""Objects in a store: which of them an address means, how one is copied here, and whether it is still what it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dq_pipelines.config.stores import error_text, filesystem, split
from dq_pipelines.sources.archives import copy
from dq_pipelines.sources.endings import plain_name
from dq_pipelines.sources.failures import failure
from dq_pipelines.sources.inputs import Input, Listed, ModificationTime, PassedOver
from dq_pipelines.sources.listing import Glob, Matches


def input_at(uri: str) -> Input | None:
    """The object at an address as it is now; None where there is none. Raises SourceError where the store cannot be reached."""
    files, key = _store(uri)
    info = _asked(uri, lambda: files.get_file_info(key))
    return _input(uri, info) if info.is_file else None


def objects_at(uri: str) -> Listed:
    """The objects that an address means, which names one, or what they begin with, or has wildcards. Raises SourceError."""
    from pyarrow import fs

    exact = input_at(uri)
    if exact is not None:
        return Listed((exact,))
    files, key = _store(uri)
    pattern = Glob.of(f"/{key}")
    # A store has no folders: a key that begins with nothing we look for is no error, a missing bucket is.
    below = fs.FileSelector(pattern.base.strip("/"), allow_not_found=True, recursive=True)
    infos = {f"/{info.path}": info for info in _asked(uri, lambda: files.get_file_info(below)) if info.is_file}
    if pattern.base != f"/{key}":
        matches = pattern.matches_among(infos)
    else:
        matches = Matches(tuple(path for path in infos if plain_name(path[len(pattern.base.rstrip("/")) + 1 :])))
    bucket = split(uri)[0]
    inputs = [_input(bucket + path[1:], infos[path]) for path in matches.paths]
    # An empty one may be the `folder/` that a console makes: its slash is lost in the listing, and no file is there.
    files_alone = tuple(item for item in inputs if item.size or input_at(item.uri))
    return Listed(files_alone, tuple(PassedOver(bucket + one.uri[1:], one.why) for one in matches.passed_over))


def download(uri: str, path: Path) -> None:
    """Copy an object to a file; raises SourceError."""
    files, key = _store(uri)
    # As it is: pyarrow would unpack by the name, and take what is no archive or a torn one for a whole file.
    with _asked(uri, lambda: files.open_input_stream(key, compression=None)) as stream:
        _asked(uri, lambda: copy(stream, path))


def _input(uri: str, info: Any) -> Input:
    return Input(uri, int(info.size), ModificationTime(int(info.mtime_ns or 0)))


def _store(uri: str) -> tuple[Any, str]:
    """The file system of a URI's bucket, and the key there."""
    store: tuple[Any, str] = _asked(uri, lambda: filesystem(uri))
    return store


def _asked(uri: str, question: Callable[[], Any]) -> Any:
    try:
        return question()
    except (OSError, ValueError) as error:
        raise failure(f"{uri}: wanted to reach the place, got: {error_text(error)}", error) from error
