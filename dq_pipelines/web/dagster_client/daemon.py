"""Dagster's daemon beside the gateway: started with it, started again when it dies or hangs, ended with it; or somebody else's, used."""

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

#: Seconds after which a heartbeat is old: a daemon beats every half minute.
FRESH = 90
#: Seconds without a heartbeat of any part after which a daemon of ours hangs.
HANGS = 120.0
#: The same for one of its parts alone: evaluating many assets may take minutes.
PART_HANGS = 900.0
#: Seconds between two looks at the process, and at its heartbeats.
_LOOK, _LISTEN = 0.5, 5.0
#: Seconds that it has to end in.
_PATIENCE = 15
#: In Dagster's folder: which gateway ran the last daemon. Its time says when that daemon was alive for certain.
_LAST = "dq_serve.daemon"


@contextmanager
def daemon(instance: dg.DagsterInstance, workspace: Path, supervision: Supervision | None = None) -> Iterator[Daemon]:
    """A daemon for this instance and these code locations, as long as the block lasts."""
    supervision = supervision or Supervision()
    kept = Daemon(instance, workspace, supervision.log_level_of_services)
    try:
        with supervision.watching("the daemon", kept.look, _LOOK):
            yield kept
    finally:
        kept.end()


class Daemon:
    """The one daemon of an instance: two would launch everything twice."""

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
        #: when the last daemon of ours ended, whose heartbeats are still there
        self._ended_at = self._end_of_the_last()
        self.trouble = ProcessFailure()
        self.trouble.began("is being started")

    def look(self, ending: threading.Event) -> None:
        """Start it where there is none, and start it anew where it has ended or hangs."""
        if self._child is not None:
            self._tend(self._child)
        elif time.monotonic() >= self._not_before and not self._another_is_used() and not ending.is_set():
            self._start()

    def end(self) -> None:
        """End it, and wait."""
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
        # Else a server that is started at once would take them for those of a daemon that lives.
        self._instance.wipe_daemon_heartbeats()

    def _start(self) -> None:
        reading, self._pipe = os.pipe()
        command = [sys.executable, "-m", "dq_pipelines.web.dagster_client.daemon_child", str(reading), "run"]
        command += ["--log-level", self._log_level, "--instance-ref", serialize_value(self._instance.get_ref())]
        command += ["--code-server-log-level", self._log_level, "-w", str(self._workspace)]
        # A session of its own, so that Ctrl-C in a terminal is ours to hear.
        self._child = subprocess.Popen(  # noqa: S603 - our own program, by our own words
            command, pass_fds=[reading], start_new_session=True
        )
        os.close(reading)
        self._began = self._listened = time.monotonic()
        self._last.write_text(this_process(), encoding="utf-8")

    def _tend(self, child: subprocess.Popen[bytes]) -> None:
        code = child.poll()
        if code is None:
            os.utime(self._last)
            # Whoever waits for it to be alive is told as soon as it is.
            if time.monotonic() - self._listened > (_LOOK if self.trouble.now else _LISTEN):
                self._listened = time.monotonic()
                if silent := self._silent():
                    say(f"{silent}: the daemon is killed")
                    child.kill()
            return
        os.close(self._pipe)
        self._child, self._ended_at = None, time.time()
        pause = self._backoff.after(time.monotonic() - self._began)
        self._not_before = time.monotonic() + pause
        self.trouble.began(f"ended (exit {code}) and is started again")
        say(f"the daemon ended (exit {code}): it is started again in {pause:g} s")

    def _silent(self) -> str:
        """What has not beaten for too long, in a sentence; empty where all is well."""
        lived = time.monotonic() - self._began
        beats = self._instance.get_daemon_heartbeats()
        ages = {kind: min(time.time() - beat.timestamp, lived) for kind, beat in beats.items()}
        wanted = {kind: ages.get(kind, lived) for kind in self._instance.get_required_daemon_types()}
        if wanted and min(wanted.values()) > HANGS:
            return f"no part of the daemon has beaten for {min(wanted.values()):.0f} s"
        if wanted and max(wanted.values()) < lived - 1:  # each part beats before it begins its work
            self.trouble.is_over()
        late = {kind: age for kind, age in wanted.items() if age > PART_HANGS}
        return "".join(f"{kind} of the daemon has not beaten for {age:.0f} s" for kind, age in list(late.items())[:1])

    def _another_is_used(self) -> bool:
        """Whether somebody else's daemon beats, which is looked at every few seconds."""
        if time.monotonic() < self._asked:
            return True
        age = self._heartbeat_of_another()
        if age is not None:
            self._asked = time.monotonic() + 5
            if not self._attached:
                self.trouble.is_over()
                say(f"a daemon runs already (it beat {age:.0f} s ago): it is used, and replaced when it stops")
        elif self._attached:
            say("the daemon that was used has stopped: one is started here")
        self._attached = age is not None
        return self._attached

    def _heartbeat_of_another(self) -> float | None:
        """Seconds since another's daemon beat; None where there is none, or it is silent."""
        beat = last_heartbeat(self._instance)
        if beat is None or beat <= self._ended_at:
            return None
        age = time.time() - beat
        return age if age < FRESH else None

    @property
    def _last(self) -> Path:
        return Path(self._instance.root_directory) / _LAST

    def _end_of_the_last(self) -> float:
        """When the daemon ended of a gateway that was killed outright here; 0 where it was not, or lives."""
        with suppress(OSError):
            if is_gone(self._last.read_text(encoding="utf-8")):
                return self._last.stat().st_mtime + 2 * _LOOK
        return 0.0


def last_heartbeat(instance: dg.DagsterInstance) -> float | None:
    """When a daemon of this instance beat last, in seconds since 1970; None where none ever did."""
    return max((beat.timestamp for beat in instance.get_daemon_heartbeats().values()), default=None)
