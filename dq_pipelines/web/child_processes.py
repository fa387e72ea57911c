"""Ends every process that a gateway has started when the gateway ends, even if it is killed.

It runs as `python -m dq_pipelines.web.child_processes FD MARK`. A gateway names itself in an environment variable, which its
processes and their children inherit. So they are found even if their parent has changed. This module imports nothing of
Dagster, to start fast.
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
#: Seconds that processes have to end after an interrupt; a run needs them to record that it was interrupted.
PATIENCE = 10.0


def of_gateway(mark: str) -> list[psutil.Process]:
    """The living processes that this gateway has started, directly or not, without the current process."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark and is_alive(process):
                found.append(process)
    return found


def is_alive(process: psutil.Process) -> bool:
    """Whether the process runs and is no zombie."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def interrupt(mark: str) -> list[psutil.Process]:
    """Interrupt all processes of the gateway, as Ctrl-C does. Returns them."""
    found = of_gateway(mark)
    for process in found:
        with suppress(psutil.Error):
            process.send_signal(signal.SIGCONT)  # a stopped process receives no other signal
            process.send_signal(signal.SIGTERM if _is_helper(process) else signal.SIGINT)
    return found


def kill(mark: str) -> None:
    """Kill all processes of the gateway, and those that they start meanwhile."""
    while left := of_gateway(mark):
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        time.sleep(0.05)


def end(mark: str, patience: float = PATIENCE) -> int:
    """Interrupt all processes of the gateway, kill those that live after `patience` seconds, and return their number."""
    found = interrupt(mark)
    until = time.monotonic() + patience
    while of_gateway(mark) and time.monotonic() < until:
        time.sleep(0.2)
    kill(mark)
    return len(found)


def is_run(process: psutil.Process) -> bool:
    """Whether this is a run's process, as Dagster's code server starts it."""
    try:
        return "from multiprocessing.spawn import" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def _is_helper(process: psutil.Process) -> bool:
    """Whether the process only waits for a run to end: an interrupt would make it print a traceback."""
    return "watch_orphans" in " ".join(process.cmdline())


def end_leftovers(home: str) -> int:
    """End processes of gateways on this machine that were killed together with their watcher. Returns their number.

    Only of gateways with this `DAGSTER_HOME`.
    """
    marks = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment = process.environ()
            if environment.get("DAGSTER_HOME") == home and (mark := environment.get(MARK)) and is_gone(mark):
                marks.add(mark)
    return sum(end(mark) for mark in marks)


class Children:
    """The processes that this gateway starts, and the watcher process that ends them."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self._reading, self._writing = os.pipe()
        self._ending, self._watcher = threading.Event(), _watcher(self._reading, self.mark)
        self._keeper = threading.Thread(target=self._keep, name="children", daemon=True)
        self._keeper.start()

    def runs(self) -> int:
        """The number of runs under way."""
        return sum(map(is_run, of_gateway(self.mark)))

    def begin_to_end(self) -> None:
        """Have the watcher interrupt all processes now, and kill the rest after `PATIENCE`. A second call does nothing."""
        if self._ending.is_set():
            return
        self._ending.set()
        self._keeper.join()
        os.close(self._writing)

    def end(self) -> None:
        """End all processes, and wait for it."""
        self.begin_to_end()
        os.close(self._reading)
        with suppress(subprocess.TimeoutExpired):
            self._watcher.wait(PATIENCE * 2)
        end(self.mark, 0.0)  # whatever is left if the watcher itself was killed

    def _keep(self) -> None:
        while not self._ending.wait(1.0):
            if self._watcher.poll() is not None:
                self._watcher = _watcher(self._reading, self.mark)


@contextmanager
def ending_with_us() -> Iterator[Children]:
    """Mark this process as a gateway: the processes that it starts within the block end with it."""
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
    """Wait until the other end of the pipe closes, then end the gateway's processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.read(int(sys.argv[1]), 1)  # nothing is ever written
    end(sys.argv[2])


if __name__ == "__main__":
    main()
