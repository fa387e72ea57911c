"""Handles Ctrl-C and SIGTERM: the first stops the server in order, the second kills it and its processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from dq_pipelines.web.child_processes import MARK, kill
from dq_pipelines.web.dagster_client.supervision import say

#: Exit code of a process that Ctrl-C has ended.
_INTERRUPTED = 130


class Stopping:
    """The signal handling of this process."""

    def __init__(self) -> None:
        self._is_stopping = False
        self._end: Callable[[], None] | None = None

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Handle both signals within the block."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def calling(self, end: Callable[[], None]) -> Iterator[None]:
        """Within the block, the first signal calls `end`; outside of it, the signal raises KeyboardInterrupt."""
        self._end = end
        try:
            yield
        finally:
            self._end = None

    def _stop(self, _: int, __: FrameType | None) -> None:
        if self._is_stopping:
            _end_at_once()
        self._is_stopping = True
        say("stopping; press Ctrl-C again to stop at once")
        if self._end is None:
            raise KeyboardInterrupt
        self._end()


def _end_at_once() -> None:
    if (mark := os.environ.get(MARK)) is not None:
        kill(mark)
    os._exit(_INTERRUPTED)
