"""Patience: what fails for a moment is tried again, and each try is said in one line.

What is `Transient` is told in `sources`, of the lake's store what is `Unreached` in `lake`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from typing import TypeVar

from dq_pipelines.errors import Transient, Unreached
from dq_pipelines.pipeline.runtime.table_run import TableRun

Done = TypeVar("Done")

#: Seconds between two looks at whether the run that waits was cancelled.
_LOOK = 1.0


def patiently(do: Callable[[TableRun], Done]) -> Callable[[TableRun], Done]:
    """What reads a source, made to be done anew when it fails for a moment, as often as the table's `retries` say."""

    @wraps(do)
    def trying(work: TableRun) -> Done:
        for failed in range(1, work.table.retries.tries):
            try:
                return do(work)
            except (Transient, Unreached) as error:
                pause = work.table.retries.pause(failed)
                work.log(f"{error}; trying again in {pause:.1f} s ({failed + 1} of {work.table.retries.tries})")
                _wait(pause, work.may_commit)
                work = replace(work, now=max(datetime.now(UTC), work.now))
        return do(work)

    return trying


def _wait(seconds: float, may_go_on: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK))
        may_go_on()
