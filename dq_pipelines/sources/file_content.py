"""What a local file holds, as a checksum for bronze's ledger."""

from __future__ import annotations

import os
import threading
import time
import zlib
from pathlib import Path

from dq_pipelines.sources.failures import broken
from dq_pipelines.sources.inputs import Input

#: Nanoseconds: a kernel may give two changes within them the same change time (its clock for files ticks every 1 to 10 ms).
_TICK = 20_000_000

#: What this process has read of files in order to compare them, by address: their size and times, and the content's number.
_read: dict[str, tuple[tuple[int, int, int], int]] = {}
_MOST_FILES = 100_000
_lock = threading.Lock()


def content_of(item: Input, *, remember: bool = False) -> int:
    """The low 31 bits of a file's size, then the CRC-32 of its bytes: the same as long as the content is.

    `remember` it as long as the process lives where the file is only compared: each later listing compares it again.
    Raises SourceError, or Transient, for a file that cannot be read.
    """
    settle(item)
    version = (item.size, item.version.number, item.version.changed)
    with _lock:
        known, number = _read.get(item.uri, (None, 0))
    if known == version:
        return number
    number, read = _read_content(item)
    if remember and read == version:  # else it has changed since it was listed
        with _lock:
            _read.pop(item.uri, None)
            while len(_read) >= _MOST_FILES:
                del _read[next(iter(_read))]
            _read[item.uri] = version, number
    return number


def size_fits(item: Input, content: int) -> bool:
    """Whether a file has the size of that whose number this is."""
    return content >> 32 == item.size & 0x7FFFFFFF


def settle(item: Input) -> None:
    """Wait until a later change of a file is sure to give it another change time: 20 ms at most."""
    age = time.time_ns() - item.version.changed
    if age < _TICK:
        time.sleep(min(_TICK - age, _TICK) / 1e9)


def _read_content(item: Input) -> tuple[int, tuple[int, int, int]]:
    """The number of what a file holds, and its size and times (modification, change) when it was read."""
    check = 0
    with broken(item.uri), Path(item.uri).open("rb") as file:
        while chunk := file.read(1 << 20):
            check = zlib.crc32(chunk, check)
        state = os.fstat(file.fileno())
    number = ((item.size & 0x7FFFFFFF) << 32) | check
    return number, (state.st_size, state.st_mtime_ns, state.st_ctime_ns)
