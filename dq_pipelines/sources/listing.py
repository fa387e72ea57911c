"""Which of the files below a folder a pattern means."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial

from dq_pipelines.config.model import shown
from dq_pipelines.errors import SourceError, nearest
from dq_pipelines.sources.endings import plain_name
from dq_pipelines.sources.failures import failure
from dq_pipelines.sources.inputs import PassedOver

_MAGIC = re.compile(r"[*?\[]")
#: What `**` stands for: folders and files that are not hidden, of any depth.
_PLAIN = re.compile(r"[^._]")
#: What Spark and Hadoop write beside the parts of a file that they wrote as a folder.
_SUCCESS = "_SUCCESS"


@dataclass(frozen=True)
class Matches:
    """The files that a pattern means, and the folders that it matches and does not mean."""

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
        """Raises SourceError for a set of characters that is none, such as `[z-a]`."""
        base, names = _split(path)
        if not names:
            return cls(path, path, path.__eq__)
        try:
            levels = tuple(_levels(names))
        except re.error as error:
            got = shown("/".join(names))
            raise SourceError(f"{path}: wanted *, ? and sets such as [a-z], got {got}: {error.msg}") from None
        start = path[: -len("/".join(names))]
        if len(plain := [level for level in levels if level is not None]) == len(levels):
            return cls(path, base, partial(_matches_each_level, start, plain))
        return cls(path, base, partial(_matches, start, levels))

    def matches_among(self, files: Collection[str]) -> Matches:
        """Of the files below `base` those that are meant: which match, or lie in a folder that matches as a file would."""
        existing = frozenset(files)

        @cache
        def folder_of(folder: str) -> str | None:
            """The outermost folder that matches, of this one and those above it."""
            if len(folder) <= len(self.base):
                return None
            return folder_of(os.path.dirname(folder)) or (folder if self.matches(folder) else None)

        paths, passed_over = [], dict[str, PassedOver]()
        for path in files:
            folder = None
            if self.matches(path):
                paths.append(path)
            elif (folder := folder_of(os.path.dirname(path))) and plain_name(os.path.relpath(path, folder)):
                if "." in _MAGIC.sub("", self.path.rpartition("/")[2]) or f"{folder}/{_SUCCESS}" in existing:
                    paths.append(path)
                else:
                    why = f"it is a folder; to read the files below it, write {self.path.rpartition('/')[0]}/**"
                    passed_over[folder] = PassedOver(folder, why)
        return Matches(tuple(paths), tuple(passed_over.values()))


def base_of(path: str) -> str:
    """The folder above the first wildcard; the path itself where it has none."""
    return _split(path)[0]


def _split(path: str) -> tuple[str, list[str]]:
    """That folder, and the names from the first with a wildcard on."""
    segments = path.split("/")
    first = next((place for place, name in enumerate(segments) if _MAGIC.search(name)), None)
    return (path, []) if first is None else ("/".join(segments[:first]) or "/", segments[first:])


def walk(folder: str, enters: Callable[[str], bool] = lambda _: True) -> Iterator[str]:
    """The files below a folder; of folders below it, those that `enters` says yes to."""
    seen, folders = set(), [(folder, os.path.realpath(folder))]
    while folders:
        place, real = folders.pop()
        if real in seen or not enters(place):  # a link back to a folder above: walking it would never end
            continue
        seen.add(real)
        below = []
        for entry in _entries(place):
            if _is_folder(entry):
                # A folder that is no link lies where it is: of 2,000 folders, none has to be resolved.
                is_link = entry.is_symlink()
                below.append((entry.path, os.path.realpath(entry.path) if is_link else os.path.join(real, entry.name)))
            else:
                yield entry.path
        folders += reversed(below)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise failure(f"{error.filename}: wanted to list the folder, got {error.strerror}", error) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; what cannot be looked at is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


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


def _levels(names: Sequence[str]) -> Iterator[re.Pattern[str] | None]:
    """What each folder of a path has to match, and the file: a regex, or None for folders of any depth."""
    for place, name in enumerate(names):
        if name != "**":
            hidden = "" if name.startswith((".", "~")) else r"(?!\.|~\$)"
            yield re.compile(hidden + _name_pattern(name) + r"\Z", re.DOTALL)
            continue
        if names[place - 1 : place] != ["**"]:
            yield None
        if place == len(names) - 1:
            yield _PLAIN


def _matches(start: str, levels: Sequence[re.Pattern[str] | None], path: str) -> bool:
    """Whether the path matches. All ways are followed at once: one after another, those of many `**` never end."""
    if not path.startswith(start):
        return False
    reached = _and_after_any_depth({0}, levels)
    for name in path[len(start) :].split("/"):
        reachable = [(place, levels[place]) for place in reached if place < len(levels)]
        after = {place + (level is not None) for place, level in reachable if (level or _PLAIN).match(name)}
        reached = _and_after_any_depth(after, levels)
    return len(levels) in reached


def _matches_each_level(start: str, levels: Sequence[re.Pattern[str]], path: str) -> bool:
    """The same for a pattern without `**`, quickly: a folder may hold 100,000 files."""
    names = path[len(start) :].split("/")
    is_as_deep = path.startswith(start) and len(names) == len(levels)
    return is_as_deep and all(level.match(name) for level, name in zip(levels, names, strict=True))


def _and_after_any_depth(places: set[int], levels: Sequence[re.Pattern[str] | None]) -> set[int]:
    """The places, and those after a `**`, which may stand for no folder."""
    return places | {place + 1 for place in places if levels[place : place + 1] == (None,)}


def _name_pattern(name: str) -> str:
    """The regex of one name.

    Between two stars, the first place that matches is as good as any later one. So that group is atomic, and no
    pattern takes longer than its length times that of the name.
    """
    first, *others = _between_stars(name)
    if not others:
        return first
    return first + "".join(f"(?>.*?{each})" for each in others[:-1] if each) + f".*{others[-1]}"


def _between_stars(name: str) -> list[str]:
    """The regexes of what stands before, between and after the stars; each matches a fixed number of characters."""
    regexes, place = [""], 0
    while place < len(name):
        char = name[place]
        inverted = name[place + 1 : place + 2] in ("!", "^")
        end = name.find("]", place + 2 + inverted) if char == "[" else -1
        if end > 0:
            inside = re.sub(r"[\\\[&|~]", r"\\\g<0>", name[place + 1 + inverted : end])
            regexes[-1] += f"[^{inside}]" if inverted else f"[{inside}]"
            place = end
        elif char == "*":
            regexes.append("")
        else:
            regexes[-1] += "." if char == "?" else re.escape(char)
        place += 1
    return regexes
