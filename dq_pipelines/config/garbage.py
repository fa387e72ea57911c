"""Pauses Python's garbage collector while many objects are made that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the cyclic garbage collector within this block, also as a decorator.

    A large project makes millions of objects that stay. The collector would traverse all of them again and again, which takes
    a third of the loading time. Other threads make garbage meanwhile, which the collector finds afterwards.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
