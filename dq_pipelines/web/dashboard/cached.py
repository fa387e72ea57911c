"""A cached value, which is computed again when its version has changed or it is too old."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Cached(Generic[Value]):
    """One value. A second caller waits while the first computes it."""

    def __init__(self, seconds: float = float("inf")) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._cached: tuple[object, float, Value] | None = None

    def get(self, version: object, make: Callable[[], Value]) -> Value:
        """The value of this version."""
        with self._lock:
            cached = self._cached
            if cached is None or cached[0] != version or time.monotonic() > cached[1] + self._seconds:
                cached = self._cached = (version, time.monotonic(), make())
            return cached[2]
