"""The worker process that applies regexes and JSON Schemas to texts: either may backtrack without end.

It imports none of our modules unless a request needs one, so that it starts within moments. `texts` starts it.
"""

from __future__ import annotations

import os
import pickle
import re
import signal
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

#: The answer where Python raised an error.
FAILED = 2
#: Before a request its length, after the answers the CPU seconds that they took.
LENGTH, TOOK = struct.Struct("!Q"), struct.Struct("!d")


def answering(kind: str, payload: Any) -> Callable[[str], bool]:
    """The function that answers for one text: of some patterns, or of the query that was sent."""
    if kind != "regex":
        says: Callable[[str], bool] = pickle.loads(payload).says  # noqa: S301 - of the process that started this one
        return says
    patterns, match_on = payload
    compiled = [re.compile(pattern) for pattern in patterns]
    enough = any if match_on == "any" else all
    return lambda text: enough(pattern.search(text) is not None for pattern in compiled)


def answer(says: Callable[[str], bool], text: str) -> int:
    """1 for yes, 0 for no, or FAILED."""
    try:
        return int(says(text))
    except Exception:  # noqa: BLE001 - the answer says so
        return FAILED


def serve() -> None:
    """Answer requests until the pipe ends: a byte for each text, then how many seconds they took."""
    # Python hears no signal within a regex, so the kernel ends the process itself.
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the one who asks
    source = sys.stdin.buffer
    while head := source.read(LENGTH.size):
        kind, payload, texts, seconds = pickle.loads(source.read(LENGTH.unpack(head)[0]))  # noqa: S301 - as above
        says = answering(kind, payload)
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        began = time.process_time()
        for text in texts:
            os.write(1, bytes([answer(says, text)]))
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        os.write(1, TOOK.pack(time.process_time() - began))


if __name__ == "__main__":
    serve()
