"""Marks runs of this gateway as failed within seconds if their process is gone or was never started.

A run's code server does so while it lives. This module covers runs whose code server was killed too, and launches that a
killed daemon left unfinished.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.storage.tags import GRPC_INFO_TAG

from dq_pipelines.orchestration.runs.dead_runs import dead_runs, end_dead_run, started_runs
from dq_pipelines.orchestration.steps.attempts import run_end
from dq_pipelines.pipeline.runtime.dead_attempts import record_dead_attempts
from dq_pipelines.pipeline.runtime.stores import Stores
from dq_pipelines.web.child_processes import MARK, is_alive, is_run
from dq_pipelines.web.dagster_client.code_servers import prefix
from dq_pipelines.web.dagster_client.supervision import say

#: Seconds between two checks.
LOOK = 2.0
#: Seconds until a run without a process is marked: its code server reports first, and in more detail.
_GONE, _NOT_STARTED = 5.0, 15.0


class LostRuns:
    """Finds the runs under way that have lost their process."""

    def __init__(self, instance: dg.DagsterInstance, stores: Stores) -> None:
        self._instance, self._stores = instance, stores
        self._pids: dict[str, int] = {}
        #: since when a run's process is missing
        self._missed: dict[str, float] = {}

    def look(self, _: threading.Event) -> None:
        """Mark each run without a process as failed."""
        lost, now = self._lost(started_runs(self._instance)), time.monotonic()
        self._missed = {run_id: self._missed.get(run_id, now) for run_id in lost}
        for run_id, (what, patience) in lost.items():
            if now - self._missed[run_id] < patience:
                continue
            why = f"the process of the run {what}: it was killed, or the machine ran out of memory"
            if end_dead_run(self._instance, run_id, why):
                say(f"run {run_id}: {why}")
                record_dead_attempts(self._stores, run_end(self._instance))

    def _lost(self, runs: list[dg.DagsterRun]) -> dict[str, tuple[str, float]]:
        """Run id -> what happened to its process, and the seconds to wait before marking the run."""
        self._pids = {run.run_id: self._pids[run.run_id] for run in runs if run.run_id in self._pids}
        if not runs:
            return {}
        lost = {run.run_id: ("is gone", _GONE) for run in dead_runs(self._instance, self._stores, runs)}
        here = [run.run_id for run in runs if self._launched_here(run)]
        for run_id in here:
            self._learn_pid(run_id)
        lost |= {run_id: ("is gone", _GONE) for run_id in here if self._is_gone(run_id)}
        waiting = [run_id for run_id in here if run_id not in self._pids]
        if waiting and not _starting(set(self._pids.values())):
            lost |= dict.fromkeys(waiting, ("was never started", _NOT_STARTED))
        return lost

    def _learn_pid(self, run_id: str) -> None:
        if run_id not in self._pids:
            for entry in self._instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
                metadata: Any = entry.dagster_event.engine_event_data.metadata if entry.dagster_event else {}
                if "pid" in metadata and (pid := str(metadata["pid"].value)).isdigit():
                    self._pids[run_id] = int(pid)
                    return

    def _is_gone(self, run_id: str) -> bool:
        pid = self._pids.get(run_id)
        if pid is None:
            return False
        try:
            process = psutil.Process(pid)
            return not (is_alive(process) and MARK in process.environ())
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False

    def _launched_here(self, run: dg.DagsterRun) -> bool:
        """Whether a gateway of this machine launched the run, by the code server's address in its tag.

        A daemon that was killed before it wrote that tag has launched nothing.
        """
        address = run.tags.get(GRPC_INFO_TAG)
        if address is None:
            starting = run.status == dg.DagsterRunStatus.STARTING
            return starting and isinstance(self._instance.run_launcher, DefaultRunLauncher)
        return Path(json.loads(address).get("socket") or "").parent.name.startswith(prefix())


def _starting(known: set[int]) -> bool:
    """Whether there is a run's process that has not yet reported its run."""
    for process in psutil.process_iter():
        try:
            if is_run(process) and process.pid not in known and is_alive(process) and MARK in process.environ():
                return True
        except psutil.Error:
            continue
    return False
