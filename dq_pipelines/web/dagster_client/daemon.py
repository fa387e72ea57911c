"""Starts and supervises Dagster's daemon, or uses one that runs already."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
from dagster_shared.serdes import serialize_value

from dq_pipelines.pipeline.runtime.processes import is_gone, this_process
from dq_pipelines.web.dagster_client.supervision import Backoff, ProcessFailure, Supervision, say

#: Seconds for which a heartbeat is recent: a daemon sends one every 30 s.
FRESH = 90
#: Seconds without a heartbeat of any part after which our daemon counts as hanging.
HANGS = 120.0
#: The same for a single part: evaluating many assets may take minutes.
PART_HANGS = 900.0
#: Seconds between two checks of the process, and of its heartbeats.
_LOOK, _LISTEN = 0.5, 5.0
#: Seconds that it has to end.
_PATIENCE = 15
#: File in Dagster's folder that names the gateway of the last daemon. Its mtime is the last time that daemon was alive.
_LAST = "dq_serve.daemon"


@contextmanager
def daemon(instance: dg.DagsterInstance, workspace: Path, supervision: Supervision | None = None) -> Iterator[Daemon]:
    """Run a daemon for this instance and these code locations until the block ends."""
    supervision = supervision or Supervision()
    kept = Daemon(instance, workspace, supervision.log_level_of_services)
    try:
        with supervision.watching("the daemon", kept.look, _LOOK):
            yield kept
    finally:
        kept.end()


class Daemon:
    """The only daemon of an instance: two would launch every run twice."""

    def __init__(self, instance: dg.DagsterInstance, workspace: Path, log_level: str = "warning") -> None:
        self._instance = instance
        self._workspace = workspace
        self._log_level = log_level
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._began = self._listened = self._asked = 0.0
        self._not_before = 0.0
        self._backoff = Backoff()
        self._attached = False
        #: when our last daemon ended; its heartbeats are still in the records
        self._ended_at = self._end_of_the_last()
        self.failure = ProcessFailure()
        self.failure.began("is being started")

    def look(self, ending: threading.Event) -> None:
        """Start the daemon if none runs, and restart it if it has ended or hangs."""
        if self._child is not None:
            self._tend(self._child)
        elif time.monotonic() >= self._not_before and not self._another_is_used() and not ending.is_set():
            self._start()

    def end(self) -> None:
        """End the daemon, and wait for it."""
        if self._child is None:
            return
        os.close(self._pipe)
        try:
            self._child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None
        self._last.unlink(missing_ok=True)
        # Otherwise a server that starts right away would take them for heartbeats of a living daemon.
        self._instance.wipe_daemon_heartbeats()

    def _start(self) -> None:
        reading, self._pipe = os.pipe()
        command = [sys.executable, "-m", "dq_pipelines.web.dagster_client.daemon_child", str(reading), "run"]
        command += ["--log-level", self._log_level, "--instance-ref", serialize_value(self._instance.get_ref())]
        command += ["--code-server-log-level", self._log_level, "-w", str(self._workspace)]
        # A session of its own, so that Ctrl-C in a terminal reaches only this process.
        self._child = subprocess.Popen(  # noqa: S603 - our own program and arguments
            command, pass_fds=[reading], start_new_session=True
        )
        os.close(reading)
        self._began = self._listened = time.monotonic()
        self._last.write_text(this_process(), encoding="utf-8")

    def _tend(self, child: subprocess.Popen[bytes]) -> None:
        code = child.poll()
        if code is None:
            os.utime(self._last)
            # While it is not alive, heartbeats are checked often, so that its start is noticed at once.
            if time.monotonic() - self._listened > (_LOOK if self.failure.now else _LISTEN):
                self._listened = time.monotonic()
                if silent := self._silent():
                    say(f"{silent}; the daemon is killed")
                    child.kill()
            return
        os.close(self._pipe)
        self._child, self._ended_at = None, time.time()
        pause = self._backoff.after(time.monotonic() - self._began)
        self._not_before = time.monotonic() + pause
        self.failure.began(f"ended (exit {code}) and is being restarted")
        say(f"the daemon ended (exit {code}); it is restarted in {pause:g} s")

    def _silent(self) -> str:
        """A sentence about parts without a recent heartbeat; "" if all is well."""
        lived = time.monotonic() - self._began
        beats = self._instance.get_daemon_heartbeats()
        ages = {kind: min(time.time() - beat.timestamp, lived) for kind, beat in beats.items()}
        wanted = {kind: ages.get(kind, lived) for kind in self._instance.get_required_daemon_types()}
        if wanted and min(wanted.values()) > HANGS:
            return f"no part of the daemon has sent a heartbeat for {min(wanted.values()):.0f} s"
        if wanted and max(wanted.values()) < lived - 1:  # each part sends a heartbeat before it begins its work
            self.failure.is_over()
        late = {kind: age for kind, age in wanted.items() if age > PART_HANGS}
        return "".join(
            f"{kind} of the daemon has sent no heartbeat for {age:.0f} s" for kind, age in list(late.items())[:1]
        )

    def _another_is_used(self) -> bool:
        """Whether another program's daemon is alive; checked every few seconds."""
        if time.monotonic() < self._asked:
            return True
        age = self._heartbeat_of_another()
        if age is not None:
            self._asked = time.monotonic() + 5
            if not self._attached:
                self.failure.is_over()
                say(f"a daemon runs already (heartbeat {age:.0f} s ago): it is used, and replaced when it stops")
        elif self._attached:
            say("the other daemon has stopped; a new one is started here")
        self._attached = age is not None
        return self._attached

    def _heartbeat_of_another(self) -> float | None:
        """Seconds since the last heartbeat of another program's daemon; None without a recent one."""
        beat = last_heartbeat(self._instance)
        if beat is None or beat <= self._ended_at:
            return None
        age = time.time() - beat
        return age if age < FRESH else None

    @property
    def _last(self) -> Path:
        return Path(self._instance.root_directory) / _LAST

    def _end_of_the_last(self) -> float:
        """When the daemon of a killed gateway on this machine ended; 0 if there was none, or that gateway lives."""
        with suppress(OSError):
            if is_gone(self._last.read_text(encoding="utf-8")):
                return self._last.stat().st_mtime + 2 * _LOOK
        return 0.0


def last_heartbeat(instance: dg.DagsterInstance) -> float | None:
    """The last heartbeat of this instance's daemon, in seconds since 1970; None for none."""
    return max((beat.timestamp for beat in instance.get_daemon_heartbeats().values()), default=None)
