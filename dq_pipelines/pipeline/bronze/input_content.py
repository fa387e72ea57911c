"""What an input holds, as a number for the ledger. Which inputs are new belongs in `new_inputs`."""

from __future__ import annotations

import os
import threading
import time
import zlib
from collections.abc import Iterable
from pathlib import Path

from dq_pipelines.config.stores import is_remote
from dq_pipelines.sources import Input
from dq_pipelines.sources.failures import broken

#: Nanoseconds: a kernel may give two changes within them the same change time (its clock for files ticks every 1 to 10 ms).
_TICK = 20_000_000

#: What this process has read of files in order to compare them, by address: their size and times, and the content's number.
_read: dict[str, tuple[tuple[int, int, int], int]] = {}
_MOST_FILES = 100_000
_lock = threading.Lock()


def content_of(item: Input, *, remember: bool = False) -> int:
    """A number that stays the same as long as the content does; a remote object's is its time, a Delta table's its version.

    `remember` it as long as the process lives where the input is only compared: each later listing compares it again.
    Raises SourceError, or Transient, for a file that cannot be read.
    """
    if is_remote(item.uri) or (not item.changed and is_table(item)):
        return item.modified
    version = (item.size, item.modified, item.changed)
    with _lock:
        known, number = _read.get(item.uri, (None, 0))
    if known == version:
        return number
    number, there = _read_content(item)
    if remember and there == version:  # else it has changed since it was listed
        with _lock:
            _read.pop(item.uri, None)
            while len(_read) >= _MOST_FILES:
                del _read[next(iter(_read))]
            _read[item.uri] = version, number
    return number


def size_fits(item: Input, content: int) -> bool:
    """Whether a file has the size of that whose number this is."""
    return content >> 32 == item.size & 0x7FFFFFFF


def settle(inputs: Iterable[Input]) -> None:
    """Wait until a later change of one of these files is sure to give it another change time."""
    age = time.time_ns() - max((item.changed for item in inputs), default=0)
    if age < _TICK:
        time.sleep(min(_TICK - age, _TICK) / 1e9)


def is_table(item: Input) -> bool:
    """Whether the input is a Delta table's version rather than a file."""
    return not is_remote(item.uri) and Path(item.uri).is_dir()


def _read_content(item: Input) -> tuple[int, tuple[int, int, int]]:
    """The number of what a file holds, and which version of it that was."""
    check = 0
    with broken(item.uri), Path(item.uri).open("rb") as file:
        while chunk := file.read(1 << 20):
            check = zlib.crc32(chunk, check)
        there = os.fstat(file.fileno())
    number = ((item.size & 0x7FFFFFFF) << 32) | check
    return number, (there.st_size, there.st_mtime_ns, there.st_ctime_ns)
