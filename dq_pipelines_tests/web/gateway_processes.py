"""Finds the processes of a `dq serve` by kind, even if their parent has changed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from dq_pipelines.web.child_processes import MARK, is_alive

#: By kind, words of the command line.
KINDS = {
    "daemon": "dagster_client.daemon_child",
    "code server": "code-server start",
    "code server's child": "api grpc",
    "run": "multiprocessing.spawn",
    "watcher": "dq_pipelines.web.child_processes",
}


def of_home(home: Path) -> list[psutil.Process]:
    """Every process that gateways with these records of Dagster's have started, and that lives."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            there = process.environ()
            if MARK in there and there.get("DAGSTER_HOME") == str(home) and is_alive(process):
                found.append(process)
    return found


def of_kind(home: Path, kind: str) -> list[psutil.Process]:
    """Those of one kind, the newest last."""
    found = []
    for process in of_home(home):
        with suppress(psutil.Error):
            if KINDS[kind] in " ".join(process.cmdline()):
                found.append((process.create_time(), process))
    return [process for _, process in sorted(found, key=lambda one: one[0])]


def replaced(home: Path, kind: str, old: psutil.Process) -> Callable[[], bool]:
    """Whether there is another of its kind."""
    return lambda: any(process.pid != old.pid for process in of_kind(home, kind))
