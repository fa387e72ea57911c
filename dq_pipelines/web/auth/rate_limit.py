"""Limits login attempts by client address."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque

from dq_pipelines.web.auth.origins import network_of

#: Attempts from one address in a window of so many seconds, for all names together.
MOST, WINDOW = 20, 60.0

#: All counters are cleared when there are more addresses than this.
_ADDRESSES = 10_000


class RateLimit:
    """Recent attempts by address, in this process."""

    def __init__(self) -> None:
        self._tries: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def too_many(self, source: str) -> int:
        """Count an attempt from this address. Returns by how many the limit is exceeded; 0 if it is not.

        Only the first excess attempt is logged: strangers must not be able to flood the audit log.
        """
        with self._lock:
            now, tries = time.monotonic(), self._tries[network_of(source)]
            while tries and tries[0] < now - WINDOW:
                tries.popleft()
            tries.append(now)
            if len(self._tries) > _ADDRESSES:
                self._tries.clear()
            return max(0, len(tries) - MOST)
