"""The doors that Dagster itself opens: `make serve` (workspace.yaml) and `dg` ([tool.dg] without a defs folder)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_STATE = """{
  workspaceOrError { ... on Workspace { locationEntries { name loadStatus locationOrLoadError { __typename } } } }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
}"""
_LOADED = {
    "name": "dq_pipelines",
    "loadStatus": "LOADED",
    "locationOrLoadError": {"__typename": "RepositoryLocation"},
}


@pytest.fixture
def environment(copy: Path, tmp_path: Path) -> dict[str, str]:
    """What a person's shell has, with the copy's own code before what is installed."""
    (tmp_path / "home").mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "LANG": "C.UTF-8", "PYTHONPATH": str(copy)}


@pytest.mark.slow
def test_dg_finds_the_definitions(copy: Path, environment: dict[str, str], dagster_home: Path) -> None:
    ran = subprocess.run(
        [Path(sys.executable).parent / "dg", "list", "defs", "--json"],
        cwd=copy,
        env={**environment, "DAGSTER_HOME": str(dagster_home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)["assets"]


@pytest.fixture
def served(copy: Path, environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The address of the UI that `make serve` opens; ended as Ctrl-C in a terminal ends it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        (tmp_path / "serve.log").open("wb") as log,
        subprocess.Popen(
            ["make", "serve", f"PORT={port}"],
            cwd=copy,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as serving,
    ):
        yield f"http://127.0.0.1:{port}"
        os.killpg(serving.pid, signal.SIGINT)
        serving.wait(60)


@pytest.mark.slow
def test_make_serve_opens_the_ui_with_everything_running(served: str, tmp_path: Path) -> None:
    until = time.monotonic() + 120
    state: dict[str, Any] = {}
    while time.monotonic() < until and not _up(state):
        time.sleep(0.5)
        state = _ask(served)
    assert _up(state), f"{state}\n{(tmp_path / 'serve.log').read_text(encoding='utf-8')[-4000:]}"


def _up(state: dict[str, Any]) -> bool:
    """The code is loaded, and every daemon that should tick (schedules, sensors, the queue, monitoring) does."""
    if not state:
        return False
    daemons = [one for one in state["instance"]["daemonHealth"]["allDaemonStatuses"] if one["required"]]
    ticking = {one["daemonType"] for one in daemons if one["healthy"]}
    return (
        state["workspaceOrError"].get("locationEntries") == [_LOADED]
        and all(one["healthy"] for one in daemons)
        and {"SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR", "MONITORING"} <= ticking
    )


def _ask(address: str) -> dict[str, Any]:
    """The answer to `_STATE`; empty while nobody answers."""
    request = urllib.request.Request(  # noqa: S310 the address is our own, on the loopback
        f"{address}/graphql", json.dumps({"query": _STATE}).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 as above
            data: dict[str, Any] = json.load(answer)["data"]
            return data
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return {}
