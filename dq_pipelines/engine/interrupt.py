"""Long native work that an interrupt of the run ends within moments.

Native code does not hear Python's signals in time: Polars installs a handler of its own, which Dagster's
replaces, and a query then ran to its end (measured: 12 s) before the run was CANCELED. So such work is done
in a thread beside, and the one that hears signals waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import polars as pl

_Result = TypeVar("_Result")

#: Seconds that interrupted work has to end by itself, so that what it wrote can be removed; it is left behind then.
GRACE = 1.0

#: What the thread that waits looks at meanwhile, ten times a second.
_LOOKS: ContextVar[tuple[Callable[[], None], ...]] = ContextVar("looks", default=())


@contextmanager
def meanwhile(look: Callable[[], None]) -> Iterator[None]:
    """Have `look` called while native work is waited for, beside what is looked at already.

    It is called by the thread that waits, so nothing else of that thread goes on; should it take long, so may the work.
    """
    before = _LOOKS.set((*_LOOKS.get(), look))
    try:
        yield
    finally:
        _LOOKS.reset(before)


def interruptibly(work: Callable[[], _Result], stop: Callable[[], None] = lambda: None) -> _Result:
    """The result of `work`; an interrupt calls `stop` and is raised without waiting for `work` for long."""
    results: list[_Result] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits
            failures.append(error)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    try:
        while worker.is_alive():
            worker.join(0.1)
            for look in _LOOKS.get():
                look()
    except BaseException:
        stop()
        worker.join(GRACE)
        raise
    if failures:
        raise failures[0]
    return results[0]


def collect_all(frames: Sequence[pl.LazyFrame]) -> list[pl.DataFrame]:
    """All frames, in one pass of the streaming engine, interruptibly."""
    return interruptibly(lambda: pl.collect_all(frames, engine="streaming"))
