"""Long native work that an interrupt of the run ends within moments.

Native code does not react to Python's signals in time. Polars installs a handler of its own, which Dagster's replaces. A query
then ran to its end (measured: 12 s) before the run was CANCELED. So a worker thread does such work, and the thread that
receives signals waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import polars as pl

from dq_pipelines.config import polars_numpy

polars_numpy.load()

_Result = TypeVar("_Result")

#: Seconds that interrupted work has to end by itself, so that what it wrote can be removed. Then it is abandoned.
GRACE = 1.0

#: What the waiting thread calls meanwhile, ten times a second.
_CALLBACKS: ContextVar[tuple[Callable[[], None], ...]] = ContextVar("callbacks", default=())


@contextmanager
def meanwhile(callback: Callable[[], None]) -> Iterator[None]:
    """Call `callback`, too, while native work is waited for.

    The waiting thread calls it. Where it takes long, so may the work.
    """
    before = _CALLBACKS.set((*_CALLBACKS.get(), callback))
    try:
        yield
    finally:
        _CALLBACKS.reset(before)


def interruptibly(work: Callable[[], _Result], stop: Callable[[], None] = lambda: None) -> _Result:
    """The result of `work`. An interrupt calls `stop`, and is raised after at most `GRACE` seconds."""
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
            for callback in _CALLBACKS.get():
                callback()
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
