"""Dagster's daemon beside the gateway: started with it, started again when it dies, ended with it; or somebody else's, used."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster_shared.serdes import serialize_value

#: Seconds after which a heartbeat is old: a daemon beats every half minute.
FRESH = 90
#: Seconds between two looks.
_LOOK = 1.0
#: Seconds before a daemon that died is started again: doubled each time, until one has lived for a while.
_PAUSE, _LONGEST_PAUSE, _A_WHILE = 1.0, 60.0, 300.0
#: Seconds that it has to end in.
_PATIENCE = 30


@contextmanager
def daemon(instance: dg.DagsterInstance, workspace: Path) -> Iterator[Daemon]:
    """A daemon for this instance and these code locations, as long as the block lasts."""
    kept = Daemon(instance, workspace)
    watch = threading.Thread(target=kept.watch, name="daemon", daemon=True)
    watch.start()
    try:
        yield kept
    finally:
        kept.end()
        watch.join()


class Daemon:
    """The one daemon of an instance: two would launch everything twice."""

    def __init__(self, instance: dg.DagsterInstance, workspace: Path) -> None:
        self._instance = instance
        self._workspace = workspace
        self._ending = threading.Event()
        #: when the last daemon of ours ended, whose heartbeats are still there
        self._ended_at = 0.0

    def watch(self) -> None:
        """Keep one running until `end`."""
        pause, attached = _PAUSE, False
        while not self._ending.is_set():
            age = self._heartbeat_of_another()
            if age is not None:
                if not attached:
                    _say(f"a daemon runs already (it beat {age:.0f} s ago): it is used, and replaced when it stops")
                attached = True
                self._ending.wait(_LOOK * 5)
                continue
            if attached:
                _say("the daemon that was used has stopped: one is started here")
            attached, began = False, time.monotonic()
            code = self._run()
            if self._ending.is_set():
                break
            pause = _PAUSE if time.monotonic() - began > _A_WHILE else pause
            _say(f"the daemon ended (exit {code}): it is started again in {pause:.0f} s")
            self._ending.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def end(self) -> None:
        """End it, and wait."""
        self._ending.set()

    def _run(self) -> int:
        """Run one until it ends, or is to; gives its exit code."""
        reading, writing = os.pipe()
        command = [sys.executable, "-m", "dq_pipelines.web.dagster_ui.daemon_child", str(reading), "run"]
        command += ["--log-level", "warning", "--instance-ref", serialize_value(self._instance.get_ref())]
        command += ["--code-server-log-level", "warning", "-w", str(self._workspace)]
        # A session of its own, so that Ctrl-C in a terminal is ours to hear.
        with subprocess.Popen(  # noqa: S603 - our own program, by our own words
            command, pass_fds=[reading], start_new_session=True
        ) as child:
            os.close(reading)
            while child.poll() is None and not self._ending.wait(_LOOK):
                pass
            os.close(writing)
            try:
                code = child.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                code = child.wait()
        self._ended_at = time.time()
        if self._ending.is_set():
            # Else a server that is started at once would take them for those of a daemon that lives.
            self._instance.wipe_daemon_heartbeats()
        return code

    def _heartbeat_of_another(self) -> float | None:
        """Seconds since another's daemon beat; None where there is none, or it is silent."""
        beat = last_heartbeat(self._instance)
        if beat is None or beat <= self._ended_at:
            return None
        age = time.time() - beat
        return age if age < FRESH else None


def last_heartbeat(instance: dg.DagsterInstance) -> float | None:
    """When a daemon of this instance beat last, in seconds since 1970; None where none ever did."""
    return max((beat.timestamp for beat in instance.get_daemon_heartbeats().values()), default=None)


def _say(what: str) -> None:
    print(f"dq serve: {what}", file=sys.stderr, flush=True)
