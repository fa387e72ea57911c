"""Limits of a process that reads what somebody has sent: native code cannot be interrupted, but a process is ended."""

from __future__ import annotations

import resource


def limit_process(memory: int, cpu: int, file_size: int | None = None) -> None:
    """Bound this process and those that it starts: bytes of address space, seconds of CPU, and bytes of each written file."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    if file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
