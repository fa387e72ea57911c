"""Files on a disk of this machine: which of them an address means, and whether one is still what it was."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from functools import cache

from dq_pipelines.sources.endings import plain_name
from dq_pipelines.sources.failures import failure
from dq_pipelines.sources.inputs import Input, Listed, ModificationTime, PassedOver
from dq_pipelines.sources.listing import Glob, Matches, must_exist, walk


def input_at(path: str) -> Input | None:
    """The file at a path as it is now; None where there is none. Raises SourceError where it cannot be looked at."""
    state = _state(path)
    return None if state is None else _input(path, state)


def files_at(path: str, objection: Callable[[str], str], wanted: Callable[[str], bool] = lambda _: True) -> Listed:
    """The files that a path means, which names a file or a folder, or has wildcards; of them those whose path is `wanted`.

    `objection` says why a file or folder may not be read, or "". Raises SourceError where a folder is missing or refuses.
    """
    if os.path.isfile(path):
        return _inputs(filter(wanted, [path]), objection)
    refused: list[PassedOver] = []

    def enters(folder: str) -> bool:
        if why := objection(folder):
            refused.append(PassedOver(folder, why))
        return not why

    if os.path.isdir(path):
        matches = Matches(tuple(name for name in walk(path, enters) if plain_name(os.path.relpath(name, path))))
    else:
        pattern = Glob.of(path)
        must_exist(path, pattern.base)
        matches = pattern.matches_among(list(walk(pattern.base, enters)) if pattern.base != path else [])
    listed = _inputs(filter(wanted, matches.paths), objection)
    return Listed(listed.inputs, (*refused, *matches.passed_over, *listed.passed_over))


def _inputs(paths: Iterable[str], objection: Callable[[str], str]) -> Listed:
    inputs, passed_over = [], []
    # A file that is no link may be read where its folder may. Of 100,000 files, each is looked at once.
    objection_to_folder = cache(objection)
    for path in paths:
        state, is_link = _state(path, os.lstat), False
        if state is not None and stat.S_ISLNK(state.st_mode):
            state, is_link = _state(path), True
        if state is None:
            if is_link:  # else it has gone since it was listed
                passed_over.append(PassedOver(path, f"it is a link to {os.readlink(path)}, which is not there"))
        elif (is_link or objection_to_folder(os.path.dirname(path))) and (why := objection(path)):
            passed_over.append(PassedOver(path, why))
        elif not stat.S_ISREG(state.st_mode):
            passed_over.append(PassedOver(path, "it is a pipe, a socket or a device and no file"))
        else:
            inputs.append(_input(path, state))
    return Listed(tuple(inputs), tuple(passed_over))


def _input(path: str, state: os.stat_result) -> Input:
    return Input(path, state.st_size, ModificationTime(state.st_mtime_ns, state.st_ctime_ns))


def _state(path: str, look: Callable[[str], os.stat_result] = os.stat) -> os.stat_result | None:
    try:
        return look(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure(f"{path}: wanted to look at the file, got {error.strerror}", error) from error
