"""Retries work on a table after a transient error, and logs each retry.

Sources raise `Transient` for such errors, and the lake's store raises `Unreached`.
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

#: Seconds between two checks whether the waiting run was cancelled.
_LOOK = 1.0


def with_retries(do: Callable[[TableRun], Done]) -> Callable[[TableRun], Done]:
    """Decorator: repeats work after a transient error, as often as the table's `retries` allow."""

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
