"""Supervises processes: threads with periodic checks, pauses between restarts, and a record of failures."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """The pause before a restart, in seconds: doubled each time, until a process has lived for `a_while`."""

    first: float = 0.5
    longest: float = 30.0
    #: seconds of life after which the pause is reset
    a_while: float = 30.0
    _next: float = 0.0

    def after(self, lived: float) -> float:
        """The pause after a process that has lived for so many seconds."""
        pause = self.first if lived > self.a_while else max(self._next, self.first)
        self._next = min(pause * 2, self.longest)
        return pause


class ProcessFailure:
    """The current failure of a supervised process, and since when; none if it is well."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._message, self._since = "", 0.0

    def began(self, message: str) -> None:
        """Record a failure. The time of the first record is kept until the failure is over."""
        with self._lock:
            self._since = self._since if self._message else time.time()
            self._message = message

    def is_over(self) -> None:
        with self._lock:
            self._message = ""

    @property
    def now(self) -> tuple[str, float] | None:
        """The failure and its beginning, in seconds since 1970; None if all is well."""
        with self._lock:
            return (self._message, self._since) if self._message else None


@dataclass(frozen=True)
class Supervision:
    """How a gateway supervises the processes that it has started."""

    #: the level from which runs log to standard error: debug, info, warning or error
    log_level: str = "info"
    #: set when nothing is restarted any more
    ending: threading.Event = field(default_factory=threading.Event)

    @property
    def log_level_of_services(self) -> str:
        """The level for the daemon and the code servers, which log every tick at `info`."""
        return "warning" if self.log_level == "info" else self.log_level

    @contextmanager
    def watching(self, name: str, look: Callable[[threading.Event], None], every: float) -> Iterator[None]:
        """Call `look` in a thread every `every` seconds until the block ends, with the event that is set at the end.

        Errors are logged, and it is called again: a database that is briefly unavailable must not end supervision.
        """

        def watch() -> None:
            logged = ""
            while not self.ending.wait(every):
                try:
                    look(self.ending)
                    logged = ""
                except Exception as error:  # noqa: BLE001 - of any kind: see above
                    message = f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"
                    if message != logged and not self.ending.is_set():
                        say(f"{name}: {message}; checking again")
                    logged = message

        thread = threading.Thread(target=watch, name=name, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.ending.set()
            thread.join()


def say(what: str) -> None:
    """Print one line on standard error."""
    print(f"dq serve: {what}", file=sys.stderr, flush=True)
