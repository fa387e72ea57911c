"""One process, measured as a whole: seconds, CPU and peak memory, and what it says it found.

Imports nothing heavy: a child's peak memory begins with its parent's.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Measurement:
    """One run of one tool, or the medians of several."""

    #: seconds of the process from its start to its end, imports and all
    whole: float
    #: seconds of the work alone, told by the process
    work: float
    #: seconds of CPU, user and system, which neighbours on the machine disturb less
    cpu: float
    #: peak resident memory in MB
    memory: float
    found: list[Any]


def measured(module: str, *arguments: str, python: Path | None = None) -> Measurement:
    """Run `python -m module arguments` and wait for it; raises RuntimeError with its last words when it fails.

    With this interpreter, or with another one.
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [str(python or sys.executable), "-W", "ignore", "-m", f"{__package__}.{module}", *arguments]
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        said = process.stdout.read().decode() if process.stdout else ""
        # Not resource.RUSAGE_CHILDREN, which is the peak of all children so far.
        _, status, used = os.wait4(process.pid, 0)
        whole = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{said[-2000:]}")
    told = json.loads(said.splitlines()[-1])
    return Measurement(whole, told["seconds"], used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, told["found"])


def median(runs: Sequence[Measurement]) -> Measurement:
    """The median of each number; what was found by the last run."""

    def middle(name: str) -> float:
        return float(statistics.median(getattr(run, name) for run in runs))

    return Measurement(middle("whole"), middle("work"), middle("cpu"), middle("memory"), runs[-1].found)
