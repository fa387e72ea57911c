"""Defines the finding of an examination: severity, place, description, remedy and, if safe, a repair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

#: `error`: rows or verdicts are lost, or runs fail; `warning`: they may be, or will; `info`: for information.
Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One problem of an installation."""

    severity: Severity
    #: a path, or `<layer>/<table>`
    place: str
    #: what was found and what it means, in one sentence without a full stop
    said: str
    #: what to do about it
    remedy: str
    #: a safe repair, which returns one sentence about what it did; raises DqError or OSError on failure. It never deletes
    #: what may be the only copy.
    repair: Callable[[], str] | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.said}; {self.remedy}"
