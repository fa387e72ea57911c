"""Ctrl-C and SIGTERM: the first ends the server in order, and says so at once; the second ends it and all that it has started."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from dq_pipelines.web.child_processes import MARK, kill
from dq_pipelines.web.dagster_client.supervision import say

#: What the system says of a process that Ctrl-C has ended.
_INTERRUPTED = 130


class Stopping:
    """What this process does when it is asked to end."""

    def __init__(self) -> None:
        self._is_asked = False
        self._then: Callable[[], None] | None = None

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Hear both signals within the block."""
        before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def by(self, then: Callable[[], None]) -> Iterator[None]:
        """Within the block the first signal calls `then`; elsewhere it raises KeyboardInterrupt."""
        self._then = then
        try:
            yield
        finally:
            self._then = None

    def _ask(self, _: int, __: FrameType | None) -> None:
        if self._is_asked:
            _end_at_once()
        self._is_asked = True
        say("stopping; Ctrl-C again ends it at once")
        if self._then is None:
            raise KeyboardInterrupt
        self._then()


def _end_at_once() -> None:
    if (mark := os.environ.get(MARK)) is not None:
        kill(mark)
    os._exit(_INTERRUPTED)
