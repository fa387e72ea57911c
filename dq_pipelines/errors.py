"""Defines every error that dq_pipelines raises on purpose, as a tree of who must act.

    DqError
    ├── ConfigError    a file of yours is wrong: fix it (all problems of a project at once)
    ├── SourceError    a source failed or sent something unreadable: fix it or retry
    │   ├── Transient      … temporarily, without a fault of the input: retry, nothing needs a fix
    │   └── SetAside       … and the input is set aside until it changes: a retry is useless
    ├── RuleError      a rule cannot be evaluated on these data: fix the rule or the data's shape
    ├── Refused        the caller is not authenticated, or lacks the permission
    └── PublishError   nothing was published: the lake refused, or is full
        ├── Overtaken      … because another run has published to the table meanwhile: read again
        └── Unreached      … because the lake's store, or the history, does not answer now: retry

Each message is one sentence with the place, what was wanted, what was found and, for names,
the nearest existing one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_ENDLESS = re.compile(r"[^\s/\\]{300,}")
#: No nearest name is searched for longer names: the time grows with the square of their length.
_LONGEST_NAME = 200


class DqError(Exception):
    """The root of the tree: catch it to catch every error that dq_pipelines raises on purpose."""


@dataclass(frozen=True)
class Problem:
    """One problem at one place of one file."""

    #: path of the file as the user knows it, or "" if the input is no file
    file: str
    #: 1-based line, or 0 without one
    line: int
    #: one sentence: wanted, found, nearest
    message: str

    def __str__(self) -> str:
        # Shortens endless words, such as a number of 5,000 digits.
        message = _ENDLESS.sub(lambda word: f"{word[0][:80]}…", self.message)
        if not self.file:
            return message
        return f"{self.file}:{self.line}: {message}" if self.line else f"{self.file}: {message}"


class ConfigError(DqError):
    """The configuration is wrong; `problems` lists every problem, in the order of the files."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


class SourceError(DqError):
    """An input could not be read, or its path or URL is wrong."""


class Transient(SourceError):
    """An input cannot be read now: its server does not answer, or the file is locked or being written."""


class SetAside(SourceError):
    """None of the new inputs could be read: they are set aside, and read again when they change."""


class RuleError(DqError):
    """A rule cannot be evaluated: its column is missing, its type does not fit, or its SQL does not run."""


class Refused(DqError):
    """The credentials are invalid, or the user lacks the permission."""


class PublishError(DqError):
    """A table could not be written; the lake has not changed."""


class Overtaken(PublishError):
    """Another writer has changed the table since this one read it: read the new state again."""


class Unreached(PublishError):
    """The lake's store, or the database of the history, does not answer now."""


def nearest(name: str, names: Iterable[str]) -> str:
    """` (nearest: x)` for the closest of `names`, or "" if none is close."""
    if len(str(name)) > _LONGEST_NAME:
        return ""
    close = difflib.get_close_matches(str(name), [str(known) for known in names], n=1, cutoff=0.6)
    return f" (nearest: {close[0]})" if close else ""
