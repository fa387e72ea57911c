"""Identifies a process, so that another process can check whether it still runs."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path


def this_process() -> str:
    """Host, process namespace, id and start time of this process, as one text."""
    return f"{_machine()}:{os.getpid()}:{_started(os.getpid())}"


def is_gone(process: str) -> bool:
    """Whether that process has ended; False for a process of another machine, which cannot be checked."""
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
    # Another process may have the id by now; a zombie is gone too.
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
