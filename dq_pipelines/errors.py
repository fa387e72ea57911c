"""Every error that dq_pipelines raises on purpose, so that a reader knows who must act.

    DqError
    ├── ConfigError    a file of yours is wrong: fix it (all problems of a project at once)
    ├── SourceError    the outside world failed or sent something unreadable: mend it or retry
    │   ├── Transient      … for a moment, and for no fault of the input: try again, nothing is to be mended
    │   └── SetAside       … and stands aside until it changes: to try again is of no use
    ├── RuleError      a rule cannot be judged on these data: fix the rule or the data's shape
    ├── Refused        who asks is not let in, or may not do it
    └── PublishError   nothing was published: the lake refused, or is full
        ├── Overtaken      … for another run has published to the table meanwhile: look again
        └── Unreached      … for the lake's store, or the history, does not answer just now: try again

Each message is one sentence that says the place, what was wanted, what was found and, for names,
the nearest one that exists.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_ENDLESS = re.compile(r"[^\s/\\]{300,}")
#: Longer names have no near one: to look for it takes the square of their length.
_LONGEST_NAME = 200


class DqError(Exception):
    """The root: catch this to catch whatever dq_pipelines says on purpose."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in one place of one file."""

    #: path of the file as the user knows it, or "" when the input is no file
    file: str
    #: 1-based line, or 0 when the place has none
    line: int
    #: one sentence: wanted, found, nearest
    message: str

    def __str__(self) -> str:
        # A number of 5,000 digits that was found is not to be read in full.
        message = _ENDLESS.sub(lambda word: f"{word[0][:80]}…", self.message)
        if not self.file:
            return message
        return f"{self.file}:{self.line}: {message}" if self.line else f"{self.file}: {message}"


class ConfigError(DqError):
    """The configuration is wrong; `problems` lists everything that is, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


class SourceError(DqError):
    """An input could not be read, or its address is wrong."""


class Transient(SourceError):
    """An input could not be read just now: the place does not answer, the file is locked or being written."""


class SetAside(SourceError):
    """Nothing could be read of what was new: it stands aside, and is read again when it changes."""


class RuleError(DqError):
    """A rule cannot be judged: its column is missing, its type does not fit, its SQL does not run."""


class Refused(DqError):
    """Nobody is let in by these credentials, or who is may not do this."""


class PublishError(DqError):
    """A table could not be written; the lake is as it was before."""


class Overtaken(PublishError):
    """Another writer has changed the table since this one looked at it: what is new must be looked up again."""


class Unreached(PublishError):
    """The lake's store, or the database of the history, does not answer just now."""


def nearest(name: str, names: Iterable[str]) -> str:
    """` (nearest: x)` for the closest of `names`, or the empty string when none is close."""
    if len(str(name)) > _LONGEST_NAME:
        return ""
    close = difflib.get_close_matches(str(name), [str(known) for known in names], n=1, cutoff=0.6)
    return f" (nearest: {close[0]})" if close else ""
