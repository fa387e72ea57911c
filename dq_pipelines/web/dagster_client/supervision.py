"""Supervision: threads that look after something again and again, pauses between restarts, and what is said of them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Seconds before what has ended is started again: doubled each time, until one has lived for a while."""

    first: float = 0.5
    longest: float = 30.0
    #: seconds of life after which all is forgiven
    a_while: float = 30.0
    _next: float = 0.0

    def after(self, lived: float) -> float:
        """The pause after one that has lived for so many seconds."""
        pause = self.first if lived > self.a_while else max(self._next, self.first)
        self._next = min(pause * 2, self.longest)
        return pause


class ProcessFailure:
    """What is wrong with something that is supervised, and since when; nothing, where it is well."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said, self._since = "", 0.0

    def began(self, said: str) -> None:
        """Note what is wrong; the moment of the first note stays until all is well."""
        with self._lock:
            self._since = self._since if self._said else time.time()
            self._said = said

    def is_over(self) -> None:
        with self._lock:
            self._said = ""

    @property
    def now(self) -> tuple[str, float] | None:
        """What is wrong, and since when in seconds since 1970."""
        with self._lock:
            return (self._said, self._since) if self._said else None


@dataclass(frozen=True)
class Supervision:
    """How a gateway looks after what it has started."""

    #: what runs say on standard error, from this level on: debug, info, warning or error
    log_level: str = "info"
    #: set when nothing is started again any more
    ending: threading.Event = field(default_factory=threading.Event)

    @property
    def log_level_of_services(self) -> str:
        """The same for the daemon and the code servers, which tell of each look that they take at `info`."""
        return "warning" if self.log_level == "info" else self.log_level

    @contextmanager
    def watching(self, name: str, look: Callable[[threading.Event], None], every: float) -> Iterator[None]:
        """Call `look` every so many seconds, in a thread, as long as the block lasts; it is given what is set at the end.

        Whatever it raises is said, and it is called again: a database that is away for a moment must not end supervision.
        """

        def watch() -> None:
            told = ""
            while not self.ending.wait(every):
                try:
                    look(self.ending)
                    told = ""
                except Exception as error:  # noqa: BLE001 - of any kind: see above
                    said = f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"
                    if said != told and not self.ending.is_set():
                        say(f"{name}: {said}; it is looked at again")
                    told = said

        thread = threading.Thread(target=watch, name=name, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.ending.set()
            thread.join()


def say(what: str) -> None:
    """One line on standard error."""
    print(f"dq serve: {what}", file=sys.stderr, flush=True)
