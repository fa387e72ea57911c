"""Which of the files below a folder a pattern means. How places are asked for their files belongs in `files`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache

from dq_pipelines.errors import SourceError, nearest
from dq_pipelines.sources.archives import plain_name
from dq_pipelines.sources.base import PassedOver
from dq_pipelines.sources.failures import failure

_MAGIC = re.compile(r"[*?\[]")
#: What Spark and Hadoop write beside the parts of a file that they wrote as a folder.
_SUCCESS = "_SUCCESS"


@dataclass(frozen=True)
class Chosen:
    """The files that a pattern means, and what it matches and means not."""

    paths: tuple[str, ...]
    passed_over: tuple[PassedOver, ...] = ()


@dataclass(frozen=True)
class Glob:
    """A path with wildcards."""

    path: str
    #: the folder above the first wildcard; the path itself where it has none
    base: str
    matches: Callable[[str], object]

    @classmethod
    def of(cls, path: str) -> Glob:
        segments = path.split("/")
        first = next((place for place, name in enumerate(segments) if _MAGIC.search(name)), None)
        if first is None:
            return cls(path, path, path.__eq__)
        pattern = "/".join(re.escape(name) for name in segments[:first])
        for place in range(first, len(segments)):
            name, last = segments[place], place == len(segments) - 1
            if name == "**":
                pattern += "(?:/[^/._][^/]*)*" + ("/[^/._][^/]*" if last else "")
            else:
                pattern += "/" + ("" if name.startswith((".", "~")) else r"(?!\.|~\$)") + _name_pattern(name)
        return cls(path, "/".join(segments[:first]) or "/", re.compile(pattern + r"\Z", re.DOTALL).match)

    def chosen(self, files: Collection[str]) -> Chosen:
        """Of the files below `base` those that are meant: which match, or lie in a folder that matches as a file would."""
        there = frozenset(files)

        @cache
        def folder_of(folder: str) -> str | None:
            """The outermost folder that matches, of this one and those above it."""
            if len(folder) <= len(self.base):
                return None
            return folder_of(os.path.dirname(folder)) or (folder if self.matches(folder) else None)

        found, passed_over = [], dict[str, PassedOver]()
        for path in files:
            folder = None
            if self.matches(path):
                found.append(path)
            elif (folder := folder_of(os.path.dirname(path))) and plain_name(os.path.relpath(path, folder)):
                if "." in _MAGIC.sub("", self.path.rpartition("/")[2]) or f"{folder}/{_SUCCESS}" in there:
                    found.append(path)
                else:
                    why = f"it is a folder; to read the files below it, write {self.path.rpartition('/')[0]}/**"
                    passed_over[folder] = PassedOver(folder, why)
        return Chosen(tuple(found), tuple(passed_over.values()))


def walk(folder: str, enters: Callable[[str], bool] = lambda _: True) -> Iterator[str]:
    """The files below a folder; of folders below it, those that `enters` says yes to."""

    def refuse(error: OSError) -> None:
        raise failure(f"{error.filename}: wanted to list the folder, got {error.strerror}", error) from error

    seen = set()
    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(place)
        if real in seen or not enters(place):  # a link back to a folder above: walking it would never end
            folders.clear()
            continue
        seen.add(real)
        yield from (os.path.join(place, name) for name in files)


def must_exist(path: str, base: str) -> None:
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
