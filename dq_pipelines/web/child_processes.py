"""`python -m dq_pipelines.web.child_processes FD MARK`: ends every process that a gateway has started when the gateway ends, however it does.

A gateway names itself in an environment variable, which what it starts inherits, and what that starts in turn. So its
processes are found whoever their parent is by now. Light on purpose: it imports nothing of Dagster.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from dq_pipelines.pipeline.runtime.processes import is_gone, this_process

#: The environment variable with the gateway's name, as `pipeline.runtime.processes` names processes.
MARK = "DQ_SERVE_PROCESS"
#: Seconds that processes have to end in once they were interrupted; a run needs them to say that it was.
PATIENCE = 10.0


def of_gateway(mark: str) -> list[psutil.Process]:
    """The processes that this gateway has started, directly or not, and that have not ended; without this one."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark and is_alive(process):
                found.append(process)
    return found


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs, and is no zombie that nobody has waited for."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def interrupt(mark: str) -> list[psutil.Process]:
    """Ask all of them to end, as Ctrl-C does; gives them."""
    found = of_gateway(mark)
    for process in found:
        with suppress(psutil.Error):
            process.send_signal(signal.SIGCONT)  # one that was stopped hears nothing
            process.send_signal(signal.SIGTERM if _is_helper(process) else signal.SIGINT)
    return found


def kill(mark: str) -> None:
    """Kill all of them, and what they start meanwhile."""
    while left := of_gateway(mark):
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        time.sleep(0.05)


def end(mark: str, patience: float = PATIENCE) -> int:
    """Interrupt all of them, and kill what has not ended within so many seconds; gives how many there were."""
    found = interrupt(mark)
    until = time.monotonic() + patience
    while of_gateway(mark) and time.monotonic() < until:
        time.sleep(0.2)
    kill(mark)
    return len(found)


def is_run(process: psutil.Process) -> bool:
    """Whether this is the process of a run, as Dagster's code server starts it."""
    try:
        return "from multiprocessing.spawn import" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def _is_helper(process: psutil.Process) -> bool:
    """Whether it only waits for a run to end: interrupted, it would say so with a traceback."""
    return "watch_orphans" in " ".join(process.cmdline())


def end_leftovers(home: str) -> int:
    """End what gateways have left behind that were killed together with what should have ended it; gives how many there were.

    Of the gateways with these records of Dagster's (`DAGSTER_HOME`), on this machine, alone.
    """
    marks = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            there = process.environ()
            if there.get("DAGSTER_HOME") == home and (mark := there.get(MARK)) and is_gone(mark):
                marks.add(mark)
    return sum(end(mark) for mark in marks)


class Children:
    """What this gateway starts, and the watcher that ends it."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self._reading, self._writing = os.pipe()
        self._ending, self._watcher = threading.Event(), _watcher(self._reading, self.mark)
        self._keeper = threading.Thread(target=self._keep, name="children", daemon=True)
        self._keeper.start()

    def runs(self) -> int:
        """How many runs are under way."""
        return sum(map(is_run, of_gateway(self.mark)))

    def begin_to_end(self) -> None:
        """Have the watcher interrupt all of them now, and kill what is left after a while; a second call does nothing."""
        if self._ending.is_set():
            return
        self._ending.set()
        self._keeper.join()
        os.close(self._writing)

    def end(self) -> None:
        """Wait until they have ended."""
        self.begin_to_end()
        os.close(self._reading)
        with suppress(subprocess.TimeoutExpired):
            self._watcher.wait(PATIENCE * 2)
        end(self.mark, 0.0)  # what a watcher has left that was killed itself

    def _keep(self) -> None:
        while not self._ending.wait(1.0):
            if self._watcher.poll() is not None:
                self._watcher = _watcher(self._reading, self.mark)


@contextmanager
def ending_with_us() -> Iterator[Children]:
    """Mark this process as a gateway: what it starts within the block ends with it."""
    os.environ[MARK] = this_process()
    children = Children(os.environ[MARK])
    try:
        yield children
    finally:
        children.end()
        del os.environ[MARK]


def _watcher(reading: int, mark: str) -> subprocess.Popen[bytes]:
    # A session of its own, so that Ctrl-C in a terminal does not end it first.
    command = [sys.executable, "-m", "dq_pipelines.web.child_processes", str(reading), mark]
    return subprocess.Popen(command, pass_fds=[reading], start_new_session=True)  # noqa: S603 - our own program


def main() -> None:
    """Wait until the other end of the pipe is closed, in whatever way, then end what the gateway has started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.read(int(sys.argv[1]), 1)  # nothing is ever written
    end(sys.argv[2])


if __name__ == "__main__":
    main()
