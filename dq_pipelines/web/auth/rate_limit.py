"""How often an address may try to be let in. What becomes of a name that is tried too often is said in `security.throttling`."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque

from dq_pipelines.web.auth.origins import network_of

#: Tries by one address in a minute, whatever the names.
MOST, WINDOW = 20, 60.0

#: Addresses that tried once are forgotten together when there are so many.
_ADDRESSES = 10_000


class RateLimit:
    """The tries of late, by address; of this process alone."""

    def __init__(self) -> None:
        self._tries: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def too_many(self, source: str) -> int:
        """Note one more from this address, and say how many that are too many, 0 for none.

        The first is worth a line in the audit log, the others are none: a log that anybody can fill tells nothing.
        """
        with self._lock:
            now, tries = time.monotonic(), self._tries[network_of(source)]
            while tries and tries[0] < now - WINDOW:
                tries.popleft()
            tries.append(now)
            if len(self._tries) > _ADDRESSES:
                self._tries.clear()
            return max(0, len(tries) - MOST)
