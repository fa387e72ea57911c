"""What an examination finds: a sentence with its place, how bad it is, what is to be done, and a repair where one is safe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

#: `error`: rows or verdicts are lost, or runs fail; `warning`: they may be, or will; `info`: good to know.
Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be."""

    severity: Severity
    #: a path, or `<layer>/<table>`
    place: str
    #: what was found there and what it means, in one sentence without a full stop
    said: str
    #: what a person does about it
    remedy: str
    #: does what is safe, and says in a sentence what it did; raises DqError or OSError where it cannot. It never deletes
    #: what may be the only copy.
    repair: Callable[[], str] | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.said}; {self.remedy}"
