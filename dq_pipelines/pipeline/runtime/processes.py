"""Processes: how the one that works on a table is named, so that others can tell whether it is still there."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path


def this_process() -> str:
    """Host, process namespace, id and start of this process, in one word."""
    return f"{_machine()}:{os.getpid()}:{_started(os.getpid())}"


def is_gone(process: str) -> bool:
    """Whether that process has ended; of another machine nobody can tell from here."""
    machine, _, rest = process.rpartition(":")[0].rpartition(":")
    pid, started = rest, process.rpartition(":")[2]
    if machine != _machine() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    # Another process may have got the id since; one that ended and was not waited for is gone too.
    return _started(int(pid)) != started


def _machine() -> str:
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return f"{socket.gethostname()}/{space}"


def _started(pid: int) -> str:
    """When the process began, in ticks of the kernel; "" where the system does not say, "gone" for a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "gone" if fields[0] in "ZX" else fields[19]
