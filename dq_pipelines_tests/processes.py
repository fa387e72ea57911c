"""A pytest plugin: the processes that a session starts end with it, and a session that leaves one behind fails.

Every process that is started by the session, by its workers or by what those start has the session's mark in its
environment, also when it becomes a daemon. The process that pytest was called in looks for the mark when all is over.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Generator

import psutil
import pytest

from dq_pipelines_tests.contracts.postgresql import stop

#: The environment variable with the mark.
MARK = "PYTEST_SESSION_MARK"

_OWNED = pytest.StashKey[str]()

#: Seconds in which a process may end that has been told to, or that ends when its parent does.
GRACE = 15.0

#: What ends with the process that has started it, by a word of its command line.
_END_WITH_US = ("multiprocessing.forkserver", "multiprocessing.resource_tracker", "org.apache.spark")


def pytest_configure(config: pytest.Config) -> None:
    """Mark the session; a worker, and pytest that a test runs, has the mark already."""
    if MARK not in os.environ:
        config.stash[_OWNED] = os.environ[MARK] = f"{os.getpid()}-{secrets.token_hex(4)}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """When workers have ended, also by an interrupt: stop what tests have shared, then look for what is left."""
    try:
        yield
    finally:
        mark = session.config.stash.get(_OWNED, "")
        if mark:
            stop(mark)
            left = _left_behind(mark)
            for process in left:
                _tell(session, f"{process.pid} outlives the tests: {_command(process)[:300]}")
                _end(process)
            if left:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
            del os.environ[MARK]


def marked(mark: str) -> list[psutil.Process]:
    """The processes with this mark that have not ended, without this one and what ends with it."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.pid != os.getpid() and process.environ().get(MARK) == mark
            if ours and process.status() != psutil.STATUS_ZOMBIE and not _ends_with_us(process):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _left_behind(mark: str) -> list[psutil.Process]:
    until = time.monotonic() + GRACE
    while (left := marked(mark)) and time.monotonic() < until:
        time.sleep(0.1)
    return left


def _ends_with_us(process: psutil.Process) -> bool:
    return any(word in _command(process) for word in _END_WITH_US) and os.getpid() in [
        parent.pid for parent in process.parents()
    ]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return "a process that has ended since"


def _end(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.Error:
        return


def _tell(session: pytest.Session, sentence: str) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(sentence, red=True)
