"""Runs a task on an uploaded file in a process of its own, with limited memory, time and disk.

A small file may need any amount of memory: packed texts, a cell in the last row of the last column. Native code cannot be
interrupted, so the process and all that it has started are ended. `worker` is what runs there.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dq_pipelines.errors import ConfigError, Problem, SourceError, Transient
from dq_pipelines.uploads.file_names import ending_of

_LOG = logging.getLogger(__name__)
_MODULE = "dq_pipelines.uploads.worker"
#: Tasks at the same time, those that wait for their turn, and for how many seconds. Each holds one of the server's 40 threads,
#: in which callers are authenticated as well.
_AT_ONCE, _WAITING, _WAIT = 2, 4, 20
#: Seconds between two looks at what a task has written.
_LOOK = 0.25
_turns = threading.BoundedSemaphore(_AT_ONCE)
_places = threading.BoundedSemaphore(_AT_ONCE + _WAITING)


@dataclass(frozen=True)
class WorkLimits:
    """What a task may take."""

    #: bytes of address space
    memory: int = 4 << 30
    #: seconds of CPU, and of the clock
    cpu: int = 150
    clock: float = 240
    #: bytes of all files that it writes, together, the copy of the file included
    disk: int = 4 << 30


def run_isolated(
    task: str, request: Mapping[str, Any], limits: WorkLimits = WorkLimits(), *, file: BinaryIO | None = None
) -> dict[str, Any]:
    """The answer of a task of `worker` on a file: that at the request's `path`, or the open `file`, which is copied.

    Raises SourceError or ConfigError as the task does, or if it needs too much; Transient if others wait.
    """
    with _taken(_places, 0), _taken(_turns, _WAIT):
        with tempfile.TemporaryDirectory(prefix="dq-upload-", ignore_cleanup_errors=True) as scratch:
            asked = {**request, "limits": vars(limits), "scratch": scratch}
            if file is not None:
                asked["path"] = _copied(file, Path(scratch) / f"file{ending_of(request['name'])}", request["name"])
            ended = _ended(task, asked, limits)
        return _answered(ended, limits, request["name"])


def _copied(file: BinaryIO, copy: Path, name: str) -> str:
    """The path of a copy, at which nobody else can put another file."""
    try:
        with copy.open("xb") as stream:
            shutil.copyfileobj(file, stream)
    except OSError as error:
        raise Transient(f"{name}: wanted room to look at it, got: {error.strerror}") from None
    return str(copy)


@contextmanager
def _taken(places: threading.BoundedSemaphore, seconds: float) -> Iterator[None]:
    """Hold one of the places during the block. Raises Transient if none gets free in time."""
    if not places.acquire(timeout=seconds):
        raise Transient("other files are being looked at: try again")
    try:
        yield
    finally:
        places.release()


@dataclass(frozen=True)
class _Ended:
    code: int
    output: bytes
    #: what it took too much of: `clock`, `disk` or ""
    over: str
    #: the last line of what it said
    last_words: str

    def why(self, limits: WorkLimits) -> str:
        """Why there is no answer, in a sentence."""
        wanted = f"wanted a file that is read with {limits.memory >> 30} GiB of memory and {limits.cpu} seconds of CPU"
        if self.over == "clock":
            return f"{wanted}, got one that takes over {limits.clock} seconds"
        if self.over == "disk":
            return f"wanted a file that is looked at with {limits.disk / 1e9:,.1f} GB of disk, got one that needs more"
        is_short = self.code <= 0 or "MemoryError" in self.last_words or "alloc" in self.last_words
        return f"{wanted}, got one that needs more" if is_short else f"it cannot be looked at: {self.last_words}"


def _ended(task: str, request: Mapping[str, Any], limits: WorkLimits) -> _Ended:
    # Each thread of Polars reserves memory, and so does each arena of the allocator.
    quiet = os.environ | {
        "POLARS_MAX_THREADS": "2",
        "MALLOC_ARENA_MAX": "2",
        "TMPDIR": request["scratch"],
        "RUST_BACKTRACE": "0",
    }
    with subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", _MODULE, task],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=quiet,
        start_new_session=True,
    ) as process:
        over, output, words = "", b"", b""
        try:
            over, output, words = _watched(process, json.dumps(request).encode(), limits, Path(request["scratch"]))
        finally:
            if process.returncode != 0:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # and whatever it has started
    said = words.decode(errors="replace").strip()
    if process.returncode > 0:
        _LOG.warning("%s of an upload ended with %s: %s", task, process.returncode, said[-2000:])
    last = (said.splitlines() or [""])[-1]
    return _Ended(process.returncode, output, over, last.replace(request["path"], request["name"])[:300])


def _watched(
    process: subprocess.Popen[bytes], request: bytes, limits: WorkLimits, scratch: Path
) -> tuple[str, bytes, bytes]:
    """What the process takes too much of, its output, and what it said; it still runs if it takes too much."""
    until, sending = time.monotonic() + limits.clock, request or None
    while True:
        try:
            return "", *process.communicate(sending, timeout=min(_LOOK, max(0.0, until - time.monotonic())))
        except subprocess.TimeoutExpired:
            sending = None  # what is not sent yet goes on
            if _written(scratch) > limits.disk:
                return "disk", b"", b""
            if time.monotonic() >= until:
                return "clock", b"", b""


def _written(folder: Path) -> int:
    """Bytes on the disk of all files in a folder and those below. Files may come and go meanwhile."""
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(at) / name).lstat().st_blocks * 512
    return total


def _answered(ended: _Ended, limits: WorkLimits, name: str) -> dict[str, Any]:
    try:
        answer = json.loads(ended.output)
    except ValueError:
        answer = None
    if ended.over or ended.code or not isinstance(answer, dict):
        raise SourceError(f"{name}: {ended.why(limits)}")
    if "problems" in answer:
        raise ConfigError([Problem(**one) for one in answer["problems"]])
    if "error" in answer:
        raise SourceError(answer["error"])
    return answer
